"""What is asked of the scores, written down before they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, field

Margins = Mapping[str, float]
"""Negligible difference by metric: in raw units, as a ratio for distances in mm (1.1)."""

DRAWS = 10_000
ALPHA = 0.05


@dataclass(frozen=True)
class Contrast:
    """A claim: the mean of some losses is better than the mean of others.

    Attributes:
        name: The claim in words.
        plus: Labels that are said to be better.
        minus: Labels that are said to be worse.
        builtin: Whether the study did not declare it.
    """

    name: str
    plus: tuple[str, ...]
    minus: tuple[str, ...]
    builtin: bool = False


@dataclass(frozen=True)
class AnalysisPlan:
    """The plan of an analysis; it is hashed before test scores are read.

    Attributes:
        metric: Primary endpoint.
        boundary: Co-primary endpoint: a distance, or NSD.
        alpha: Level of all looks together.
        margins: Negligible differences, of all datasets.
        dataset_margins: Those of single datasets, which go first.
        references: Labels that every other loss is compared with.
        looks: Planned looks at test scores; each is taken at alpha / looks.
        draws: For ranks and regret.
        policy: For undefined values.
        contrasts: Declared claims.
        entropy: Seed of the draws.
    """

    metric: str = "dsc"
    boundary: str = "hd95"
    alpha: float = ALPHA
    margins: Margins = field(default_factory=dict)
    dataset_margins: Mapping[str, Margins] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    looks: int = 1
    draws: int = DRAWS
    policy: str = "worst"
    contrasts: tuple[Contrast, ...] = ()
    entropy: int = 20191203

    @property
    def alpha_look(self) -> float:
        """Level of one look."""
        return self.alpha / self.looks

    def margin(self, dataset: str, metric: str) -> float | None:
        """Return the stated margin in raw units or as a ratio; None: the default of the metric."""
        own = self.dataset_margins.get(dataset, {})
        return own.get(metric, self.margins.get(metric))
