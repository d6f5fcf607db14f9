"""Label maps, masks of single classes, masks for normalisation: told apart by content."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.data.layouts import natural_order
from harness.data.manifest.naming import class_names, class_word
from harness.data.manifest.pairing import Family, Pairing
from harness.data.manifest.sample import Look, Sampler, evenly
from harness.data.manifest.words import NamedFile, says_mask_only
from harness.errors import InputError

_COMPARED = 2  # cases in which several label files are compared
_FEW = 6  # families of which two cases are compared, and one of more
_MOST_FAMILIES = 9  # so many are compared at most
_NEARLY_ALL = 0.95
_APART = 0.3  # Dice below which two masks show different things
_COMPLETE = 0.9
_ANNOTATED = 0.5  # of the cases: a class whose mask so many have is one that others lack
_MANY_CODES = 40
_LOSSY = {".jpg", ".jpeg"}

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class LabelFiles:
    """Which files are what.

    Attributes:
        families: The label map, or one mask per class in the order in which they are merged.
        mask: Region for normalisation.
        doubts: Sentences for the user.
    """

    families: tuple[Family, ...]
    mask: Family | None
    doubts: tuple[str, ...] = ()

    @property
    def structures(self) -> bool:
        """Whether every class has a mask of its own."""
        return len(self.families) > 1

    @property
    def whole(self) -> tuple[str, ...]:
        """The cases that have all label files, in natural order."""
        shared = set.intersection(*(set(family.files) for family in self.families))
        return tuple(sorted(shared, key=natural_order))

    @property
    def incomplete(self) -> tuple[str, ...]:
        """The cases that lack the mask of a class, in natural order."""
        some = {case for family in self.families for case in family.files}
        return tuple(sorted(some - set(self.whole), key=natural_order))


@dataclass(frozen=True)
class Codes:
    """What label maps hold.

    Attributes:
        classes: Names by index.
        labels: Class of every stored code.
        voxels: How many voxels of the looked-at files have a code, by code.
        files: In how many of them it occurs.
        looked_at: How many files that were.
        named: Whether a class name was read somewhere.
        doubts: Sentences for the user.
    """

    classes: dict[int, str]
    labels: dict[int, int | Literal["ignore"]]
    voxels: dict[int, int]
    files: dict[int, int]
    looked_at: int
    named: bool
    doubts: tuple[str, ...] = ()


def choose_labels(pairing: Pairing, sampler: Sampler) -> LabelFiles:
    """Return which label families make the label map, and which mask is for normalisation.

    Args:
        pairing: At least one family is a label or a mask.
        sampler: Opens the files of up to two cases where there are several families.
    """
    families, masks = pairing.of("label"), pairing.of("mask")
    if not families:
        families, masks = masks, []
    chosen, region, told = _by_class(families, sampler) or _one_map(families, sampler)
    masks += region
    needed = set(chosen[0].files)
    fitting = [family for family in masks if family.files.keys() >= needed]
    doubts = [
        f"{family.pattern} is left out: only {len(family.files)} of {len(families[0].files)} cases have it"
        for family in families
        if len(family.files) < _COMPLETE * len(families[0].files) and family not in chosen
    ]
    doubts += told
    doubts += [
        f"{family.pattern} is left out: only {len(family.files.keys() & needed)} of {len(needed)} cases "
        "have it"
        for family in masks
        if family not in fitting
    ]
    doubts += [f"{family.pattern} is another mask for normalisation" for family in fitting[1:]]
    return LabelFiles(tuple(chosen), fitting[0] if fitting else None, tuple(doubts))


_Choice = tuple[list[Family], list[Family], list[str]]
"""Label families, masks for normalisation among them, doubts."""


def _by_class(families: Sequence[Family], sampler: Sampler) -> _Choice | None:
    """Return one mask per class where some cases lack the mask of a class; None if that is not so."""
    most = len(families[0].files)
    enough = [family for family in families if len(family.files) >= _ANNOTATED * most]
    some = any(len(family.files) < _COMPLETE * most for family in enough)
    if not some or len(enough) > _MOST_FAMILIES:
        return None
    chosen, region, doubts = _compared(enough, sampler)
    return (chosen, region, doubts) if len(chosen) > 1 else None


def _one_map(families: Sequence[Family], sampler: Sampler) -> _Choice:
    """Return what the families that nearly all cases have are."""
    most = len(families[0].files)
    complete = [family for family in families if len(family.files) >= _COMPLETE * most]
    doubts = []
    if len(complete) > _MOST_FAMILIES:
        doubts.append(f"{len(complete)} label files per case; only the first {_MOST_FAMILIES} were compared")
        complete = sorted(complete, key=lambda family: natural_order(family.pattern))[:_MOST_FAMILIES]
    if len(complete) == 1:
        return complete, [], doubts
    chosen, region, further = _compared(complete, sampler)
    return chosen, region, [*doubts, *further]


def _compared(families: Sequence[Family], sampler: Sampler) -> _Choice:
    """Open some files of several families to tell what they are."""
    families = list(families)
    compared = _foregrounds(families, sampler)
    region = _region(families, compared)
    masks = []
    if region is not None:
        masks.append(families.pop(region))
        compared = [case[:region] + case[region + 1 :] for case in compared]
    chosen, doubts = _kinds(families, compared, sampler)
    return chosen, masks, doubts


def _foregrounds(families: Sequence[Family], sampler: Sampler) -> list[list[Mask]]:
    """Return the foreground of every family in some cases that have all; in one if they are many."""
    shared = set.intersection(*(set(family.files) for family in families))
    cases = evenly(sorted(shared, key=natural_order), _COMPARED if len(families) <= _FEW else 1)
    return [[sampler.foreground(family.files[case]) for family in families] for case in cases]


def _region(families: Sequence[Family], compared: Sequence[Sequence[Mask]]) -> int | None:
    """Return which family, named a mask, is one large region that holds all the others."""
    names = class_names(families, ())
    for position, family in enumerate(families):
        if names[position] is None and says_mask_only(family.pattern) and compared:
            others = [
                (case[position], mask) for case in compared for at, mask in enumerate(case) if at != position
            ]
            if all(_holds(region, mask) and 3 * mask.sum() < region.sum() for region, mask in others):
                return position
    return None


def _holds(outer: Mask, inner: Mask) -> bool:
    return outer.shape == inner.shape and int((outer & inner).sum()) >= _NEARLY_ALL * int(inner.sum())


def _kinds(
    families: list[Family], compared: Sequence[Sequence[Mask]], sampler: Sampler
) -> tuple[list[Family], list[str]]:
    """Tell masks of different classes (apart or nested) from several versions of one label."""
    if len(families) == 1:
        return families, []
    first = next(iter(families[0].files))
    looks = [sampler.look(family.files.get(first, _any(family)), count_codes=True) for family in families]
    binary = all(look.codes is not None and len(look.codes) <= 2 for look in looks)
    different = all(_show_different(*two) for case in compared for two in combinations(case, 2))
    if binary and compared and different:
        size = [sum(int(case[at].sum()) for case in compared) for at in range(len(families))]
        order = sorted(range(len(families)), key=lambda at: (-size[at], families[at].pattern))
        return [families[at] for at in order], []
    ranked = sorted(
        range(len(families)),
        key=lambda at: (
            "consensus" not in families[at].pattern.lower(),
            -len(looks[at].codes or ()),
            natural_order(families[at].pattern),
        ),
    )
    chosen, *others = (families[at] for at in ranked)
    listed = ", ".join(family.pattern for family in others)
    return [chosen], [f"every case has {len(families)} label files; {listed} not used (another observer?)"]


def _any(family: Family) -> NamedFile:
    return next(iter(family.files.values()))


def _show_different(first: Mask, second: Mask) -> bool:
    if first.shape != second.shape:
        return False
    small, large = sorted((first, second), key=lambda mask: int(mask.sum()))
    if _holds(large, small) and int(small.sum()) < 0.7 * int(large.sum()):
        return True
    both, total = int((first & second).sum()), int(first.sum()) + int(second.sum())
    return 2 * both < _APART * max(1, total)


def read_codes(
    labels: LabelFiles, channels: Sequence[Family], sampler: Sampler, sampled: Sequence[str]
) -> Codes:
    """Look into the label files of some cases and return codes, classes and doubts.

    Raises:
        InputError: if the files are colour pictures or no label maps at all.
    """
    looked_at = [family.files[case] for family in labels.families for case in sampled if case in family.files]
    looks = [(file, sampler.look(file, count_codes=True)) for file in looked_at]
    for file, look in looks:
        if look.values > 1 and not look.grey and look.affine is None:
            raise InputError(
                f"label {str(sampler.root / file.path)!r} is a colour picture with {look.values} values per "
                "pixel; store one class index per pixel"
            )
    doubts: list[str] = []
    voxels, files = _counts(looks, sampler, doubts)
    if labels.structures:
        names = class_names(labels.families, channels)
        classes = {at: name or f"class_{at}" for at, name in enumerate(names, 1)}
        codes: dict[int, int | Literal["ignore"]] = {index: index for index in (0, *classes)}
        return Codes(classes, codes, voxels, files, len(looks), any(names), tuple(doubts))
    stored = sorted({0, *voxels}) if set(voxels) - {0} else [0, 1]
    unlabelled = {255} if {1, 255} <= set(stored) else set()
    if len(stored) > _MANY_CODES:
        doubts.append(f"label files hold {len(stored)} codes; are these label maps?")
    if stored == [0, 1] and 1 not in voxels and not doubts:
        doubts.append(f"the {len(looks)} label files looked at hold background only")
    if voxels and 0 not in voxels:
        doubts.append(f"no label file looked at holds 0; is {min(voxels)} the background?")
    classed = [code for code in stored if code not in unlabelled]
    codes = {code: index for index, code in enumerate(classed)} | dict.fromkeys(unlabelled, "ignore")
    word = class_word(labels.families[0], channels) if len(classed) == 2 else None
    classes = {index: word or f"class_{index}" for index in range(1, len(classed))}
    return Codes(classes, codes, voxels, files, len(looks), word is not None, tuple(doubts))


def _counts(
    looks: Sequence[tuple[NamedFile, Look]], sampler: Sampler, doubts: list[str]
) -> tuple[dict[int, int], dict[int, int]]:
    """Count voxels and files by code; what is no label map is told or refused."""
    voxels, files = Counter[int](), Counter[int]()
    lossy = {file.path for file, look in looks if _is_blurred(file, look)}
    blurred = [file for file, look in looks if not look.whole or file.path in lossy]
    for file, look in looks:
        if look.whole and look.codes and file.path not in lossy:
            voxels.update({int(code): number for code, number in look.codes.items()})
            files.update(int(code) for code in look.codes)
    if blurred:
        values = sampler.volume(blurred[0]).array[0]
        top = _two_ends(values)
        if top is None:
            raise InputError(
                f"{str(sampler.root / blurred[0].path)!r} is named like a label map but holds an image; "
                "rename it, or store one class index per voxel"
            )
        between = float(values[(values > 0) & (values < top)].flat[0])
        doubts.append(
            f"{len(blurred)} of {len(looks)} label files looked at, such as {blurred[0].path}, hold values "
            f"between 0 and {top} ({between:.3g}): threshold them and store whole numbers without loss"
        )
        voxels, files = Counter({0: voxels[0], top: voxels[top]}), Counter({0: files[0], top: files[top]})
    return dict(sorted(voxels.items())), dict(files)


def _is_blurred(file: NamedFile, look: Look) -> bool:
    """Whether few pixels lie between the 0 and 255 of a picture: JPEG noise, or a resized mask."""
    codes = look.codes or {}
    if look.affine is not None or 255 not in codes or len(codes) <= 2:
        return False
    between = sum(number for code, number in codes.items() if code not in {0, 255})
    few = between < 0.05 * sum(codes.values())
    return file.suffix.lower() in _LOSSY or (few and len(codes) > 4)


def _two_ends(values: NDArray[np.generic]) -> int | None:
    """Return 1 or 255 if nearly all values lie at 0 or there: a blurred mask; None for an image."""
    numbers = np.asarray(values, np.float64)
    top = 1 if numbers.max() <= 1 else 255
    near = (numbers < 0.15 * top) | (numbers > 0.85 * top)
    return top if numbers.min() >= 0 and numbers.max() <= top and near.mean() > 0.9 else None
