"""What a page asks its reader to type and to save: commands and files in the order of the page."""

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Command:
    """A line to type.

    Attributes:
        line: Without prompt and comment.
        output: What the page shows below it, line by line; empty if nothing.
    """

    line: str
    output: tuple[str, ...] = ()


@dataclass(frozen=True)
class File:
    """A file to save: a block whose first line is a comment with its name."""

    name: str
    text: str


def steps(page: str) -> list[Command | File]:
    """Return the commands and files of a page.

    Commands are the lines of ``bash`` blocks, and those after ``$`` in ``console`` blocks. A ``text`` block
    behind a ``bash`` block is the output of its last command.
    """
    found: list[Command | File] = []
    before = ""
    for language, text in _FENCE.findall(page):
        if language == "bash":
            found += [Command(_bare(line)) for line in text.splitlines() if _bare(line)]
        elif language == "console":
            found += [Command(_bare(line[2:])) for line in text.splitlines() if line.startswith("$ ")]
        elif language == "text" and before == "bash":
            command = found.pop()
            assert isinstance(command, Command)
            found.append(Command(command.line, tuple(text.splitlines())))
        elif named := re.match(r"# ([\w.]+\.(?:py|ya?ml))\n", text):
            found.append(File(named[1], text))
        before = language
    return found


def commands(page: str) -> list[str]:
    """Return the commands of a page."""
    return [each.line for each in steps(page) if isinstance(each, Command)]


def _bare(line: str) -> str:
    return re.sub(r"(^|\s+)#.*", "", line).strip()
