"""What simulated data should look like: published numbers of the real archive beside measured ones.

Each archive's folder measures a dataset on disk, real or simulated, through its layout; so whoever
holds the real archive can judge the simulator with the same code.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.registry import Registry

TOLERANCE = 0.25
"""How far a median may lie from the published one, as a share of it."""


@dataclass(frozen=True)
class Target:
    """One published number of an archive and the same number of a folder.

    Attributes:
        quantity: What is measured, for readers of a table ("lesion volume, median").
        unit: Its unit, empty for counts and ratios.
        group: Part of the data, such as a site; ``all`` for the whole.
        published: Of the real archive.
        measured: Of the folder; None if it holds no case of the group.
        judged: Whether it has to lie within :data:`TOLERANCE` (medians do; extremes and tails are shown).
    """

    quantity: str
    unit: str
    group: str
    published: float
    measured: float | None
    judged: bool = True

    @property
    def ratio(self) -> float | None:
        """Measured over published."""
        if self.measured is None or self.published == 0:
            return None
        return self.measured / self.published

    @property
    def within(self) -> bool:
        """Whether the measured number lies within the tolerance."""
        return self.ratio is not None and abs(self.ratio - 1) <= TOLERANCE + 1e-9


Measure = Callable[[Path, int], list[Target]]
"""``(folder, workers)``: a dataset's folder as its archive unpacks, and processes to use."""

TARGETS: Registry[Measure] = Registry("set of targets")
