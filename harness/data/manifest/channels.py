"""Image channels: which families they are, their names, grids and intensities."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.data.manifest.naming import channel_names
from harness.data.manifest.pairing import Family
from harness.data.manifest.sample import Look, Sampler
from harness.errors import InputError

Region = Literal["file", "nonzero", "all"]

_COLOURS = {2: ("grey", "alpha"), 3: ("red", "green", "blue"), 4: ("red", "green", "blue", "alpha")}
_MANY = 8
_MOST_ZEROS = 0.2
_COMPLETE = 0.9


@dataclass(frozen=True)
class Channels:
    """What the channels are.

    Attributes:
        families: One per pattern, in order.
        names: Names of all channels; more than patterns where files hold several.
        missing: Cases without a file, by pattern.
        own_grids: Names of families that lie on another grid than the label.
        region: Where intensities are measured.
        reason: Why there.
        doubts: Sentences for the user.
    """

    families: tuple[Family, ...]
    names: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]
    own_grids: tuple[str, ...]
    region: Region
    reason: str
    doubts: tuple[str, ...] = ()


def complete_families(
    images: Sequence[Family], cases: Sequence[str]
) -> tuple[list[Family], dict[str, tuple[str, ...]], list[str]]:
    """Return the families that (nearly) all cases have, the cases they lack, and doubts about the others.

    Args:
        images: Families of images.
        cases: Cases with a label.

    Raises:
        InputError: if there is no image that goes with the labels.
    """
    wanted = set(cases)
    held = {family.pattern: len(wanted & family.files.keys()) for family in images}
    most = max(held.values(), default=0)
    if not most:
        raise InputError(
            f"{len(cases)} label files, such as that of case {cases[0]!r}, but no image whose name "
            "shares the case with them; name image and label of a case alike"
        )
    enough = [family for family in images if held[family.pattern] >= _COMPLETE * most]
    doubts = [
        f"{family.pattern} is left out: only {held[family.pattern]} of {len(cases)} cases have it"
        for family in images
        if family not in enough and held[family.pattern] >= min(2, most)
    ]
    single = [family.pattern for family in images if held[family.pattern] == 1 < most]
    if single:
        doubts.append(f"{len(single)} image files, such as {single[0]}, fit one case only and are left out")
    missing = {}
    for family in enough:
        if lacking := [case for case in cases if case not in family.files]:
            missing[family.pattern] = tuple(lacking)
            doubts.append(
                f"{len(lacking)} of {len(cases)} cases, such as {lacking[0]!r}, have no {family.pattern}: "
                "add the files or take their labels away, for `lossbench data check` refuses them"
            )
    enough.sort(key=lambda family: family.pattern.lower())
    return enough, missing, doubts


def describe_channels(
    found: tuple[list[Family], dict[str, tuple[str, ...]], list[str]],
    labels: Sequence[Family],
    mask: Family | None,
    sampler: Sampler,
    sampled: Sequence[str],
) -> Channels:
    """Look into the images of some cases and describe the channels.

    Args:
        found: From :func:`complete_families`.
        labels: Families of labels; those of the sampled cases have been looked at.
        mask: Region for normalisation, if there is a file.
        sampler: Opens files.
        sampled: The cases to look into.
    """
    families, missing, told = found
    looks = {family.pattern: _looks(family, sampled, sampler) for family in families}
    series = [family for family in families if _is_series(looks[family.pattern])]
    doubts = list(told)
    if 0 < len(series) < len(families):
        doubts += [f"{family.pattern} is left out: it is 4D" for family in series]
        families = [family for family in families if family not in series]
    if len(families) > _MANY:
        doubts.append(f"{len(families)} channels: keep those that you need")
    names = channel_names(families, labels)
    all_names, apart = [], []
    for family, name in zip(families, names, strict=True):
        own = looks[family.pattern]
        all_names += _names_inside(name, own, len(families))
        pairs = [(look, _label_look(labels, case, sampler)) for case, look in own.items()]
        if any(not look.on_grid_of(label) for look, label in pairs):
            apart.append(name)
        doubts += _doubts_about(family, own, name in apart)
    region, reason = _region([look for family in families for look in looks[family.pattern].values()], mask)
    return Channels(tuple(families), tuple(all_names), missing, tuple(apart), region, reason, tuple(doubts))


def _doubts_about(family: Family, looks: Mapping[str, Look], apart: bool) -> list[str]:
    doubts = []
    if len({look.values for look in looks.values()}) > 1:
        doubts.append(f"files of {family.pattern} differ in their number of channels")
    if any(look.grey for look in looks.values()):
        doubts.append(f"{family.pattern}: the colours are equal; grey files would do")
    if apart and any(look.affine is None for look in looks.values()):
        doubts.append(f"{family.pattern}: image and label differ in size; make them one size")
    return doubts


def _looks(family: Family, sampled: Sequence[str], sampler: Sampler) -> dict[str, Look]:
    held = [case for case in sampled if case in family.files] or [next(iter(family.files))]
    return {case: sampler.look(family.files[case]) for case in held}


def _label_look(labels: Sequence[Family], case: str, sampler: Sampler) -> Look:
    family = next((family for family in labels if case in family.files), labels[0])
    return sampler.look(family.files.get(case) or next(iter(family.files.values())))


def _values(looks: Mapping[str, Look]) -> int:
    return max(look.values for look in looks.values())


def _is_series(looks: Mapping[str, Look]) -> bool:
    return any(look.affine is not None and look.values > 1 for look in looks.values())


def _names_inside(name: str, looks: Mapping[str, Look], families: int) -> list[str]:
    """Return the channels that one file holds: colours, or the volumes of a 4D file."""
    values = _values(looks)
    if values == 1:
        return [name]
    colours = _COLOURS.get(values, ()) if all(look.affine is None for look in looks.values()) else ()
    inside = colours or tuple(str(volume) for volume in range(1, values + 1))
    return [part if colours and families == 1 else f"{name}_{part}" for part in inside]


def _region(looks: Sequence[Look], mask: Family | None) -> tuple[Region, str]:
    if mask is not None:
        return "file", "the mask above"
    if any(look.affine is None for look in looks):
        return "all", "pictures"
    zeros = min(look.zeros for look in looks)
    if zeros >= _MOST_ZEROS:
        return "nonzero", f"at least {100 * zeros:.0f} % of the voxels looked at are exactly 0"
    if min(look.lowest for look in looks) <= -500:
        return "all", "intensities look like CT; consider clip: [0.5, 99.5]"
    return "all", f"only {100 * zeros:.0f} % of the voxels looked at are exactly 0"
