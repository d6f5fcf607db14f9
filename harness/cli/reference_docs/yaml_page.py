"""Pages that list the keys of a YAML file, block by block."""

from collections.abc import Iterable, Iterator

from harness.cli.markdown import anchor, table
from harness.cli.reference_docs.schema import Block

NOTE = "<!-- Written by `make docs` from the code; edit the code, or harness/cli/reference_docs. -->"

HEADING = ("key", "values", "default", "meaning")


def sections(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield the sections of the blocks; the outermost has no heading of its own."""
    for block in blocks:
        if block.heading:
            yield f"{'##' if '.' not in block.path and not block.form else '###'} {block.heading}"
            yield block.summary
        if block.keys:
            yield table(
                HEADING, ((f"`{key.name}`", key.values, key.default, key.meaning) for key in block.keys)
            )


def contents(blocks: Iterable[Block]) -> str:
    """Return a list of links to the blocks, those of one path on one line."""
    lines: dict[str, list[str]] = {}
    for block in blocks:
        if block.heading:
            link = f"[{block.form or block.path}](#{anchor(block.heading)})"
            lines.setdefault(block.path, []).append(link)
    return "\n".join(
        "* " + (", ".join(links) if links[0].startswith(f"[{path}]") else f"{path}: {', '.join(links)}")
        for path, links in lines.items()
    )


def joined(parts: Iterable[str]) -> str:
    """Return a page of its parts."""
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"
