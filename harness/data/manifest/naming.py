"""Names for channels and classes, read off the patterns of their files."""

import re
from collections import Counter
from collections.abc import Sequence

from harness.data.manifest.pairing import Family
from harness.data.manifest.spans import CASE
from harness.data.manifest.words import is_generic, words

_SEPARATOR = re.compile(r"[\W_]+")


def channel_names(channels: Sequence[Family], labels: Sequence[Family]) -> list[str]:
    """Return a different name for each channel, ``image`` where the files do not tell."""
    names = [_name(family, [*channels, *labels]) or "image" for family in channels]
    for position, (family, name) in enumerate(zip(channels, names, strict=True)):
        if name.isdigit():
            names[position] = f"channel_{int(name)}" if len(channels) > 1 else "image"
        elif names.count(name) > 1:
            folder = family.pattern.split("/")[-2] if "/" in family.pattern else ""
            names[position] = "_".join([*_parts(folder), name])
    repeated = Counter(names)
    return [f"{name}_{at + 1}" if repeated[name] > 1 else name for at, name in enumerate(names)]


def class_names(labels: Sequence[Family], channels: Sequence[Family]) -> list[str | None]:
    """Return the word for each label family that says what it outlines, None where no word does."""
    names = (_name(family, [*channels, *labels]) for family in labels)
    return [name if name and not name.isdigit() else None for name in names]


def class_word(label: Family, channels: Sequence[Family]) -> str | None:
    """Return the word in the name of a single label that says what it outlines, if there is one."""
    folders = label.pattern.split("/")[:-1]
    elsewhere = {word for family in channels for word in words(family.pattern)}
    if folders and folders[-1].lower().startswith("lesion"):
        return "lesion"
    for part in _parts(_stem(label.pattern)):
        found = words(part)
        if len(part) > 3 and part.isalpha() and part.lower() not in elsewhere and not _says_label(found):
            return part.lower()
    return None


def _says_label(found: Sequence[str]) -> bool:
    """Whether words only say "label"; ``lesion`` and ``wmh`` say what it outlines, too."""
    return all(is_generic(word) and not word.startswith("lesion") for word in found)


def _name(family: Family, among: Sequence[Family]) -> str:
    """Return the words of a family's file name, or else folder, that not all families share."""
    *folders, _ = family.pattern.split("/")
    stems = [_parts(_stem(other.pattern)) for other in among]
    shared = set.intersection(*map(set, stems)) if len(stems) > 1 else set()
    if own := _telling(_parts(_stem(family.pattern)), shared):
        return "_".join(own)
    for folder in reversed(folders):
        if own := _telling(_parts(folder), set()):
            return "_".join(own)
    return ""


def _telling(parts: Sequence[str], shared: set[str]) -> list[str]:
    return [part for part in parts if part not in shared and not all(map(is_generic, words(part)))]


def _stem(pattern: str) -> str:
    """Return the file name of a pattern without suffix and case."""
    name = re.sub(r"(\.nii)?\.[a-z*]+$", "", pattern.rpartition("/")[2], flags=re.IGNORECASE)
    return name.replace(CASE, " ").removesuffix(".nii")


def _parts(name: str) -> list[str]:
    return [part for part in _SEPARATOR.split(name.replace(CASE, " ")) if part]
