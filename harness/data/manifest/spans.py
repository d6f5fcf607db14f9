"""Which part of a path may name the case."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from harness.data.manifest.words import NamedFile, is_generic, words

CASE = "{case}"

_TOKEN = re.compile(r"\d+|[^\W\d_]+|[\W_]")
_SEPARATOR = re.compile(r"[\W_]+")
_LONGEST = 12  # tokens; names of more parts are cut at their first ones


@dataclass(frozen=True)
class Template:
    """A path with ``{case}`` in it.

    Attributes:
        folders: Names of the folders, ``{case}`` in those that hold the case's name.
        stem: File name without suffix, likewise.
        suffix: With the dot.
    """

    folders: tuple[str, ...]
    stem: str
    suffix: str

    @property
    def loose(self) -> "Template":
        """The same with ``*`` for every folder that does not hold the case's name, without suffix."""
        return Template(tuple(folder if CASE in folder else "*" for folder in self.folders), self.stem, "")

    @property
    def pattern(self) -> str:
        """As written in a manifest."""
        return "/".join((*self.folders, self.stem + self.suffix))

    @property
    def wildcards(self) -> int:
        """Number of ``*``."""
        return self.pattern.count("*")


def spans(file: NamedFile) -> Iterator[str]:
    """Yield every part of a path that may be the name of the case: whole words, within one name."""
    seen = set()
    for name in (*file.folders, file.stem):
        if "{" in name or "*" in name or "?" in name:
            continue
        tokens = [(match.start(), match.end()) for match in _TOKEN.finditer(name) if match[0].isalnum()]
        for first, (start, _) in enumerate(tokens):
            for _, end in tokens[first : first + _LONGEST]:
                if (text := name[start:end]) not in seen:
                    seen.add(text)
                    yield text
        if name not in seen:  # names that end in a combining accent or a bracket
            seen.add(name)
            yield name


def templates_of(file: NamedFile, case: str) -> list[Template]:
    """Return the ways to replace the case's name in a path, the most likely first.

    Between separators everywhere; the same in the file's name only, where a folder holds the text by
    accident (``Batch 1/volume-1.nii``); and beside letters, too (``007/img007.nii``).
    """
    ways = []
    for joined in (False, True):
        folders = tuple(_replaced(folder, case, joined) for folder in file.folders)
        stem = _replaced(file.stem, case, joined)
        if CASE in stem:
            ways += [Template(folders, stem, file.suffix), Template(file.folders, stem, file.suffix)]
        elif folders != file.folders:
            ways.append(Template(folders, stem, file.suffix))
    return list(dict.fromkeys(ways))


def _replaced(name: str, case: str, joined: bool) -> str:
    """Replace every occurrence of ``case`` between separators, or also where letters meet digits."""
    if case not in name:
        return name
    if name == case:
        return CASE
    kept, position = [], 0
    while (found := name.find(case, position)) >= 0:
        end = found + len(case)
        free = _parted(name, found, joined) and _parted(name, end, joined)
        kept += [name[position:found], CASE if free else case]
        position = end
    return "".join((*kept, name[position:]))


def _parted(name: str, at: int, joined: bool) -> bool:
    """Whether a word begins or ends at a position, or, if ``joined``, digits do so beside letters."""
    if at in {0, len(name)}:
        return True
    before, after = name[at - 1], name[at]
    if before.isalnum() and after.isalnum():
        return joined and before.isdigit() != after.isdigit()
    return True


def tells_kind(case: str) -> bool:
    """Whether a case's name begins or ends with a word that says what the file is (``Image_01L``)."""
    parts = [part for part in _SEPARATOR.split(case) if part]
    return len(parts) > 1 and any(all(map(is_generic, words(part))) for part in (parts[0], parts[-1]))
