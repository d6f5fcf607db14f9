"""Reading docstrings: Google style, with the formula as a literal block, and tables of a module."""

import inspect
import re
from dataclasses import dataclass, field

_ROLE = re.compile(r":[a-z:]+:`~?(?:[\w.]*\.)?(\w+)`")
_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Example|Examples|Note|Notes):")
_ELSEWHERE = re.compile(r"(?:^|(?<=[.)] ))Elsewhere: ")
_POINTER = re.compile(r"\s*(?:Further p|P)arameters: see :class:`[~\w.]+`\.")
"""A sentence for readers of the source, where the parameters of a base class are not repeated."""


@dataclass(frozen=True)
class Docstring:
    """What a docstring says, in Markdown.

    Attributes:
        summary: The first paragraph, on one line.
        formula: The first literal block, its lines as they stand; empty if there is none.
        paragraphs: The other text; its other literal blocks are fenced.
        reference: What follows ``Reference:`` at the start of a paragraph.
        elsewhere: What follows ``Elsewhere:``, up to the end of that paragraph.
        arguments: Name and description of every entry of ``Args``, roles not resolved.
        attributes: Likewise of ``Attributes``.
    """

    summary: str = ""
    formula: str = ""
    paragraphs: tuple[str, ...] = ()
    reference: str = ""
    elsewhere: str = ""
    arguments: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


def read_docstring(text: str | None) -> Docstring:
    """Take a docstring apart."""
    body, sections = _without_sections(inspect.cleandoc(text or ""))
    formula, reference, elsewhere = "", "", ""
    paragraphs: list[str] = []
    blocks = _blocks(body)
    summary = _prose(blocks.pop(0)) if blocks and not blocks[0].startswith(" ") else ""
    for block in blocks:
        if block.startswith(" "):
            code = inspect.cleandoc("\n" + block).replace("``", "")
            if formula:
                paragraphs.append(f"```text\n{code}\n```")
            formula = formula or code
            continue
        prose, other = _split_elsewhere(_prose(block))
        elsewhere = other or elsewhere
        if prose.startswith("Reference: "):
            reference = prose.removeprefix("Reference: ")
        elif prose:
            paragraphs.append(prose)
    return Docstring(summary, formula, tuple(paragraphs), reference, elsewhere, *sections)


def markdown(text: str) -> str:
    """Return one line of Markdown: ``code`` in single backticks, roles by their last name."""
    return " ".join(_ROLE.sub(r"`\1`", text).replace("``", "`").split())


def first_sentence(text: str) -> str:
    """Return the text up to the first full stop that ends a sentence."""
    found = re.search(r"(?<!al)(?<!eqs)(?<!eq)\.(?=\s+[A-Z`])", text)
    return text[: found.end()] if found else text


def simple_table(text: str) -> list[list[str]]:
    """Return the rows, heading first, of the first table in a text that is ruled by ``====``.

    A row whose first cell is empty goes on with the one above it.
    """
    lines = text.splitlines()
    rules = [number for number, line in enumerate(lines) if re.fullmatch(r"=+(\s+=+)+", line.strip())]
    if len(rules) < 3:
        return []
    starts = [found.start() for found in re.finditer(r"=+", lines[rules[0]])]
    ends: list[int | None] = [*starts[1:], None]
    rows: list[list[str]] = []
    for line in (*lines[rules[0] + 1 : rules[1]], *lines[rules[1] + 1 : rules[2]]):
        cells = [line[start:end].strip() for start, end in zip(starts, ends, strict=True)]
        if cells[0] or not rows:
            rows.append(cells)
        else:
            rows[-1] = [" ".join(filter(None, pair)) for pair in zip(rows[-1], cells, strict=True)]
    return [[markdown(cell) for cell in row] for row in rows]


def _blocks(text: str) -> list[str]:
    """Return paragraphs and literal blocks; the latter keep their indentation and their blank lines.

    The ``::`` that announces a literal block goes away.
    """
    blocks: list[str] = []
    for part in re.split(r"\n\s*\n", text):
        if not part.strip():
            continue
        if part.startswith(" ") and blocks and blocks[-1].startswith(" "):
            blocks[-1] += f"\n\n{part}"
        elif part.strip() != "::":
            blocks.append(re.sub(r"::$", ":", part))
    return blocks


def _prose(block: str) -> str:
    return markdown(_POINTER.sub("", " ".join(block.split())))


def _split_elsewhere(paragraph: str) -> tuple[str, str]:
    """Return what stands before ``Elsewhere:`` and what stands after it."""
    found = _ELSEWHERE.search(paragraph)
    if found is None:
        return paragraph, ""
    rest = paragraph[found.end() :]
    first = rest.split(" ", 1)[0]
    if first.isalpha() and first.islower():  # nnU-Net keeps its letters
        rest = rest[:1].upper() + rest[1:]
    return paragraph[: found.start()].strip(), rest


def _without_sections(text: str) -> tuple[str, tuple[dict[str, str], dict[str, str]]]:
    """Cut the Google sections off; return the rest, and the entries of ``Args`` and of ``Attributes``."""
    body: list[str] = []
    entries: dict[str, dict[str, str]] = {"Args": {}, "Attributes": {}}
    section, entry = "", ""
    for line in text.splitlines():
        heading = _SECTION.fullmatch(line)
        if heading is not None:
            section = heading[1]
        elif section and line and not line.startswith(" "):
            section = ""
        if not section:
            body.append(line)
        elif section in entries and heading is None:
            found = re.match(r" {4}\*{0,2}(\w+)(?: \([^)]*\))?: (.*)", line)
            if found is not None:
                entry = found[1]
                entries[section][entry] = found[2].strip()
            elif entry and line.strip():
                entries[section][entry] += f" {line.strip()}"
    return "\n".join(body), (entries["Args"], entries["Attributes"])
