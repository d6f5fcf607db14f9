"""Size of the slices, plane, normalisation and split, from what the looked-at files hold."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Literal

from harness.data.manifest.sample import Look

Plane = Literal["axial", "coronal", "sagittal"]

_STEP = 16  # what a U-Net of depth 5 needs
_THICK = 1.5
_ORDER: dict[Plane, tuple[int, int, int]] = {
    "axial": (0, 1, 2),
    "coronal": (1, 0, 2),
    "sagittal": (2, 0, 1),
}
"""Plane -> positions in (Z, Y, X) of its slices, rows and columns."""


@dataclass(frozen=True)
class Grid:
    """How slices are cut.

    Attributes:
        plane: Which plane.
        size: Rows and columns, multiples of 16.
        seen: The shapes that were seen, for a comment.
        spacing: The spacings that were seen, for a comment; empty for pictures.
        inplane_mm: A pixel size to resample to, where those of the files differ much.
        doubts: Sentences for the user.
    """

    plane: Plane
    size: tuple[int, int]
    seen: str
    spacing: str
    inplane_mm: float | None
    doubts: tuple[str, ...] = ()


def choose_grid(looks: Sequence[Look]) -> Grid:
    """Return plane and size for the label files looked at, at least one."""
    plane = _plane(looks)
    shapes = [tuple(look.shape[axis] for axis in _ORDER[plane]) for look in looks]
    rows, columns = ([shape[axis] for shape in shapes] for axis in (1, 2))
    size, doubts = (_rounded_up(rows), _rounded_up(columns)), []
    if size[0] < max(rows) or size[1] < max(columns):
        doubts.append(
            f"slices differ much in size ({_range(rows)} rows, {_range(columns)} columns); those larger than "
            f"{size[0]} x {size[1]} are cropped around the centre"
        )
    spacings = [[look.spacing[axis] for axis in _ORDER[plane]] for look in looks if look.spacing]
    along = [[spacing[axis] for spacing in spacings] for axis in range(3)] if spacings else []
    pixels = sorted(length for axis in along[1:] for length in axis)
    differ = bool(pixels) and pixels[-1] > 1.3 * pixels[0]
    return Grid(
        plane,
        size,
        f"{_range(rows)} rows, {_range(columns)} columns",
        " x ".join(_range([float(f"{length:.3g}") for length in axis]) for axis in along),
        float(f"{median(pixels):.2g}") if differ else None,
        tuple(doubts),
    )


def _plane(looks: Sequence[Look]) -> Plane:
    """Return the plane that most volumes were acquired in: across the thick axis, else axial."""
    votes = Counter(_thick_across(look) for look in looks)
    return votes.most_common(1)[0][0]


def _thick_across(look: Look) -> Plane:
    if look.spacing is None:
        return "axial"
    planes: tuple[Plane, ...] = ("axial", "coronal", "sagittal")
    for plane, own in zip(planes, look.spacing, strict=True):
        if own >= _THICK * sorted(look.spacing)[1]:
            return plane
    return "axial"


def _rounded_up(lengths: Sequence[int]) -> int:
    """Return the longest, or the median if the longest is out of proportion, as a multiple of 16."""
    longest, middle = max(lengths), median(lengths)
    length = longest if longest <= 1.5 * middle else middle
    return int(-(-length // _STEP) * _STEP)


def _range(values: Sequence[float]) -> str:
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g}-{high:g}"


@dataclass(frozen=True)
class SplitGuess:
    """A split and why.

    Attributes:
        folds: Number of folds, or None for a hold-out split.
        reason: For a comment.
        doubts: Sentences for the user.
        published: The tested cases of each fold, where somebody has dealt them out already.
    """

    folds: int | None
    reason: str
    doubts: tuple[str, ...] = ()
    published: tuple[tuple[str, ...], ...] = ()


def choose_split(patients: int) -> SplitGuess:
    """Return k folds below 50 patients, where a fifth held out would be fewer than 10."""
    if patients >= 50:
        return SplitGuess(None, f"a fifth of {patients} patients is tested")
    folds = max(2, min(5, patients))
    short = "" if patients >= 3 else f"{patients} patient{'s are' if patients > 1 else ' is'}"
    doubts = (f"{short} too few to train, validate and test; add patients",) if short else ()
    return SplitGuess(folds, f"{patients} patients: each is tested once", doubts)
