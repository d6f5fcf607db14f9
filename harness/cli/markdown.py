"""Tables of Markdown, for the pages that are made from registries."""

import re
from collections.abc import Iterable


def table(heading: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of Markdown; bars in cells are escaped."""
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def prose(text: str) -> str:
    """Return the prose of a docstring in which Markdown sees no HTML tag and no accidental emphasis."""
    parts = re.split(r"(```.*?```|`[^`]*`)", text, flags=re.DOTALL)
    for index in range(0, len(parts), 2):
        part = re.sub(r"<(?=[A-Za-z/!])", r"\<", parts[index])
        part = re.sub(r"(?<=\w)\*(?=\w)| \* ", lambda found: found[0].replace("*", r"\*"), part)
        parts[index] = part
    return "".join(parts)


def anchor(heading: str) -> str:
    """Return the anchor that GitHub and MkDocs give a heading: small letters, digits, _ and hyphens."""
    return re.sub(r"\s", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())


def _cell(text: str) -> str:
    return " ".join(re.sub(r"(?<!\\)\|", r"\|", text).split())
