"""Dataset card: what a dataset holds, in numbers."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from harness.data.facts import CaseFacts


@dataclass(frozen=True)
class DatasetFacts:
    """What the card says of the dataset beside what its cases show.

    Attributes:
        name: As in tables.
        title: For readers.
        channels: Names of the image channels.
        classes: Names of the foreground classes, in order.
        simulated: Whether the images are simulated.
        licence: Terms of the data.
        citation: What to cite.
        fingerprint: Of the prepared dataset, if known.
        splits: Split sizes in words, one line each.
        unreadable: Sentences about cases that cannot be read, by case.
        left_out: Sentences about cases that the description leaves out, by case.
    """

    name: str
    title: str
    channels: tuple[str, ...]
    classes: tuple[str, ...]
    simulated: bool = False
    licence: str = ""
    citation: str = ""
    fingerprint: str | None = None
    splits: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Spread:
    """How a number spreads over cases, lesions or axes."""

    median: float
    lowest: float
    p10: float
    p90: float
    highest: float


@dataclass(frozen=True)
class ClassCard:
    """One foreground class.

    Attributes:
        name: Its name.
        fraction: Share of a case's voxels, over all cases.
        amount: Volume per case in ml, or area in pixels for photographs; over the cases that have it.
        lesions: Connected components per case, over all cases.
        lesion_size: Volume of a component in ml, or area in pixels, over all components.
        largest_share: Share of the largest component in the class, over the cases that have it.
        empty: Cases without it.
    """

    name: str
    fraction: Spread
    amount: Spread | None
    lesions: Spread
    lesion_size: Spread | None
    largest_share: Spread | None
    empty: tuple[str, ...]


@dataclass(frozen=True)
class DatasetCard:
    """A dataset in numbers.

    Attributes:
        about: What does not follow from the cases.
        cases: Cases that were read.
        patients: Their patients.
        sites: Cases by site; empty if the archive tells none.
        unit: Of amounts and sizes: ``ml``, or ``pixels`` for photographs.
        classes: In order.
        slices: Of all cases together.
        empty_slices: Of these, slices without foreground.
        ignored: Share of voxels whose truth is unknown.
        shape: Voxels along (slices, rows, columns), over cases.
        spacing: Millimetres along them.
    """

    about: DatasetFacts
    cases: int
    patients: int
    sites: dict[str, int]
    unit: str
    classes: tuple[ClassCard, ...]
    slices: int
    empty_slices: int
    ignored: float
    shape: tuple[Spread, Spread, Spread] | None
    spacing: tuple[Spread, Spread, Spread] | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)


def dataset_card(facts: Sequence[CaseFacts], about: DatasetFacts) -> DatasetCard:
    """Summarise the cases of a dataset.

    Args:
        facts: Of every case that can be read.
        about: The dataset.
    """
    pictures = bool(facts) and all(each.picture for each in facts)
    sites = [each.site for each in facts if each.site is not None]
    return DatasetCard(
        about=about,
        cases=len(facts),
        patients=len({each.patient for each in facts}),
        sites={site: sites.count(site) for site in sorted(set(sites))},
        unit="pixels" if pictures else "ml",
        classes=tuple(
            _class_card(name, index, facts, pictures) for index, name in enumerate(about.classes, 1) if facts
        ),
        slices=sum(each.shape[0] for each in facts),
        empty_slices=sum(each.empty_slices for each in facts),
        ignored=sum(each.ignored for each in facts) / max(1, sum(each.size for each in facts)),
        shape=_along_axes([each.shape for each in facts]) if facts else None,
        spacing=_along_axes([each.spacing for each in facts]) if facts and not pictures else None,
    )


def _class_card(name: str, index: int, facts: Sequence[CaseFacts], pictures: bool) -> ClassCard:
    having = [each for each in facts if each.voxels[index]]
    unit = {each.case: 1.0 if pictures else each.voxel_ml for each in facts}
    sizes = [size * unit[each.case] for each in facts for size in each.lesions[index - 1]]
    shares = [max(each.lesions[index - 1]) / each.voxels[index] for each in having]
    return ClassCard(
        name=name,
        fraction=_spread([each.fraction(index) for each in facts]),
        amount=_spread([each.voxels[index] * unit[each.case] for each in having]) if having else None,
        lesions=_spread([len(each.lesions[index - 1]) for each in facts]),
        lesion_size=_spread(sizes) if sizes else None,
        largest_share=_spread(shares) if shares else None,
        empty=tuple(each.case for each in facts if not each.voxels[index]),
    )


def _spread(values: Sequence[float]) -> Spread:
    found = np.percentile(np.asarray(values, float), [50, 0, 10, 90, 100])
    return Spread(*(float(value) for value in found))


def _along_axes(values: Sequence[Sequence[float]]) -> tuple[Spread, Spread, Spread]:
    first, second, third = (_spread(list(axis)) for axis in zip(*values, strict=True))
    return first, second, third
