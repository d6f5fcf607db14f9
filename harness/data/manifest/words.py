"""What the words of a file name say: label map, region for normalisation, or image."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

Role = Literal["image", "label", "mask"]

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_]+")

_LABEL_STEMS = (
    "label", "seg", "mask", "msk", "truth", "groundtruth", "manual", "lesion", "annot", "consensus",
    "delineat", "contour", "structure",
)  # fmt: skip
_LABEL_WORDS = {"gt", "roi", "expert", "rater", "observer", "reference", "wmh"}
_NOT_LABELS = {"labeled", "labelled", "segmented", "masked"}
_MASK_STEMS = ("mask", "msk")
_REGIONS = {"brain", "head", "fov", "body", "skull", "bet", "foreground", "intracranial"}
_JOINED_MASKS = {f"{region}{stem}" for region in _REGIONS for stem in _MASK_STEMS}

_OBSERVERS = {("st", "ho"), ("nd", "ho"), ("rd", "ho")}

GENERIC = {
    "image", "images", "img", "imgs", "im", "imaging", "picture", "pictures", "photo", "photos", "scan",
    "scans", "volume", "volumes", "vol", "raw", "data", "rawdata", "original", "input", "inputs", "tr",
    "train", "training", "derivatives", "anat", "st", "nd", "rd", "ho",
    "ground", "class", "classes", "map", "maps", "binary", "final", "files", "png",
}  # fmt: skip
"""Words that do not tell what an image shows."""


def words(text: str) -> list[str]:
    """Split a name into lower-case words: ``labelsTr`` and ``1stHO`` hold two and three."""
    return [word.lower() for word in _WORD.findall(text)]


def is_label_word(word: str) -> bool:
    """Whether a lower-case word stands for a label map or a mask."""
    if word in _NOT_LABELS or word in _JOINED_MASKS:
        return False
    return word in _LABEL_WORDS or word.startswith(_LABEL_STEMS)


def is_generic(word: str) -> bool:
    """Whether a lower-case word says only that something is an image or a label."""
    return word in GENERIC or is_label_word(word)


def says_mask_only(text: str) -> bool:
    """Whether a name calls itself a mask and gives no other word for a label."""
    telling = [word for word in words(text) if is_label_word(word)]
    return bool(telling) and all(word.startswith(_MASK_STEMS) for word in telling)


def role_of(found: Sequence[str]) -> Role | None:
    """Return what the words of one name say, or None if they say nothing."""
    if any(word in _JOINED_MASKS for word in found):
        return "mask"
    if any(word.startswith(_MASK_STEMS) for word in found) and _REGIONS & set(found):
        return "mask"
    human_observer = any(pair in _OBSERVERS for pair in pairwise(found))  # 1stHO, 2ndHO
    return "label" if human_observer or any(map(is_label_word, found)) else None


@dataclass(frozen=True)
class NamedFile:
    """An image file and what its name says it is.

    Attributes:
        path: Relative to the dataset's folder, with ``/``.
        stem: File name without suffix.
        suffix: With the dot; ``.nii.gz`` is one suffix.
        role: By name; content may correct it later.
    """

    path: str
    stem: str
    suffix: str
    role: Role = "image"

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders above the file."""
        return tuple(self.path.split("/")[:-1])


def with_roles(files: Iterable[NamedFile]) -> list[NamedFile]:
    """Return the files with their roles by name.

    The file's own name counts first, then its folders from the inmost outwards. Words that every file
    has tell nothing. In a folder that holds files named as labels beside others, the others are images.
    """
    files = list(files)
    in_stem = [set(words(file.stem)) for file in files]
    in_folders = [set(words(" ".join(file.folders))) for file in files]
    everywhere_stem = set.intersection(*in_stem) if len(files) > 1 else set()
    everywhere_folder = set.intersection(*in_folders) if files else set()

    def own(file: NamedFile) -> Role | None:
        return role_of([word for word in words(file.stem) if word not in everywhere_stem])

    by_name = [own(file) for file in files]
    mixed = {file.folders for file, role in zip(files, by_name, strict=True) if role}

    def outer(file: NamedFile) -> Role | None:
        if file.folders in mixed:
            return None
        for folder in reversed(file.folders):
            if role := role_of([word for word in words(folder) if word not in everywhere_folder]):
                return role
        return None

    return [
        NamedFile(file.path, file.stem, file.suffix, role or outer(file) or "image")
        for file, role in zip(files, by_name, strict=True)
    ]
