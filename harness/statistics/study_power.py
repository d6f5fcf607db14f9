"""What a planned study can find on one dataset: of a typical pair of losses, and of the leading ones."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.discriminability import Discriminability, discriminability, variance_shares
from harness.statistics.pair_plans import PairPlan, PlannedPairs, Purpose, plan_pairs
from harness.statistics.pilot import Pilot
from harness.statistics.power import POWER, Aim, aim_for, detectable
from harness.statistics.seeds_and_cases import Cheapest, Prices, There, cheapest, planning_grid
from harness.statistics.variance_components import Components, Values, precision

TYPICAL = ("one loss", "another")

_GRID_SEEDS = (2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 50)
_GRID_PATIENTS = (5, 8, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 500, 1000)

_PURPOSES: tuple[tuple[Purpose, bool], ...] = (
    ("margin", False),
    ("margin", True),
    ("observed", False),
    ("equivalence", False),
)


@dataclass(frozen=True)
class Design:
    """What is planned, and how it will be judged.

    Attributes:
        patients: That are tested.
        seeds: Of every loss, at least two.
        losses: That are compared.
        margin: Smallest difference of scores that matters.
        alpha: Of all comparisons with the best together.
        power: To find a difference of the margin.
        patient_hours: What one more patient costs; None if nobody says.
    """

    patients: int
    seeds: int
    losses: int
    margin: float
    alpha: float = 0.05
    power: float = POWER
    patient_hours: float | None = None

    @property
    def aim(self) -> Aim:
        """Of one comparison."""
        return aim_for(self.losses, self.alpha, self.power)


@dataclass(frozen=True)
class StudyPower:
    """What a design can find.

    Attributes:
        design: Which.
        typical: Plans of a pair with median variances: as they seem, and pessimistic.
        detectable: Smallest, median and largest over the pairs of the smallest difference that is found.
        leading: Plans of the loss with the highest mean against each other loss, the closest first, for every
            purpose; empty without a pilot.
        shares: Where the variance of these pairs comes from, see
            :func:`~harness.statistics.discriminability.variance_shares`.
        grid: Smallest difference by patients and seeds, see
            :func:`~harness.statistics.seeds_and_cases.planning_grid`.
        discriminability: Of the design, losses that stand apart left out; None without a pilot.
        cheapest: Design for a typical pair if all losses get the same seeds and all of it is yet to be paid;
            None if prices are unknown or no design does.
    """

    design: Design
    typical: tuple[PairPlan, PairPlan]
    detectable: tuple[float, float, float]
    leading: tuple[PairPlan, ...]
    shares: pd.DataFrame
    grid: pd.DataFrame
    discriminability: Discriminability | None
    cheapest: Cheapest | None


def power_of_pilot(pilot: Pilot, design: Design, hours: Mapping[str, float]) -> StudyPower:
    """Return what a design can find, judged by a pilot.

    Args:
        pilot: Of some losses of the study.
        design: Which.
        hours: Of one run, by label; those of others are unknown.
    """
    components, count = pilot.components, len(pilot.first)
    seeds = np.full(count, design.seeds, np.int64)
    planned = precision(components, design.patients, design.seeds).error ** 2
    best = int(np.argmax(pilot.means))
    at = np.flatnonzero((pilot.first == best) | (pilot.second == best))
    at = at[np.argsort(np.abs(pilot.differences[at]), kind="stable")]
    leading = _towards(pilot, best, at, design, hours)
    return StudyPower(
        design,
        _typical(components, design, hours),
        _range(components, design),
        tuple(
            plan
            for purpose, pessimistic in _PURPOSES
            for plan in plan_pairs(leading, design.margin, design.aim, purpose, pessimistic)
        ),
        variance_shares(leading.names, leading.components, design.patients, (seeds[at], seeds[at])),
        _grid(components, design),
        _discriminability(pilot, planned),
        _cheapest(components, design, hours),
    )


def power_of_stated(components: Components, design: Design, hours: Mapping[str, float]) -> StudyPower:
    """Return what a design can find with stated variances.

    Args:
        components: Of one pair.
        design: Which.
        hours: Of one run, by label.
    """
    seeds = np.array([design.seeds])
    return StudyPower(
        design,
        _typical(components, design, hours),
        _range(components, design),
        (),
        variance_shares([TYPICAL], components, design.patients, (seeds, seeds)),
        _grid(components, design),
        None,
        _cheapest(components, design, hours),
    )


def _discriminability(pilot: Pilot, planned: Values) -> Discriminability:
    usual = np.array([loss not in pilot.apart for loss in pilot.losses])
    both = usual[pilot.first] & usual[pilot.second]
    return discriminability(pilot.means[usual], pilot.noise[both], planned[both])


def _towards(
    pilot: Pilot, best: int, at: NDArray[np.int64], design: Design, hours: Mapping[str, float]
) -> PlannedPairs:
    """Return the pairs of the best, which comes first in each."""
    turned = pilot.second[at] == best
    components = pilot.components.of(at)

    def two(each: tuple[Values, Values]) -> tuple[Values, Values]:
        return np.where(turned, each[1], each[0]), np.where(turned, each[0], each[1])

    components = Components(
        components.case,
        two(components.seed),
        two(components.residual),
        two(components.seed_at_worst),
        components.prior_df,
    )
    others = np.where(turned, pilot.first[at], pilot.second[at])
    names = tuple((pilot.losses[best], pilot.losses[int(other)]) for other in others)
    cost = [np.array([hours.get(pair[side], np.nan) for pair in names]) for side in (0, 1)]
    seeds = np.full(len(at), design.seeds, np.int64)
    there = There(design.patients, (seeds, seeds))
    return PlannedPairs(
        names, components, np.abs(pilot.differences[at]), there, (cost[0], cost[1]), at_hand=False
    )


def _typical(components: Components, design: Design, hours: Mapping[str, float]) -> tuple[PairPlan, PairPlan]:
    seeds = np.array([design.seeds])
    mean = np.array([float(np.mean(list(hours.values()))) if hours else np.nan])
    pair = PlannedPairs(
        (TYPICAL,),
        components.typical(),
        np.array([np.nan]),
        There(design.patients, (seeds, seeds)),
        (mean, mean),
        at_hand=False,
    )
    [seeming] = plan_pairs(pair, design.margin, design.aim)
    [unlucky] = plan_pairs(pair, design.margin, design.aim, pessimistic=True)
    return seeming, unlucky


def _range(components: Components, design: Design) -> tuple[float, float, float]:
    found = detectable(components, design.patients, design.seeds, design.aim)
    typical = detectable(components.typical(), design.patients, design.seeds, design.aim)
    return float(found.min()), float(typical[0]), float(found.max())


def _grid(components: Components, design: Design) -> pd.DataFrame:
    patients = np.unique([*_GRID_PATIENTS, design.patients]).astype(np.int64)
    seeds = np.unique([*_GRID_SEEDS, design.seeds]).astype(np.int64)
    return planning_grid(components, patients, seeds, design.aim)


def _cheapest(components: Components, design: Design, hours: Mapping[str, float]) -> Cheapest | None:
    if design.patient_hours is None or not hours:
        return None
    all_losses = float(np.mean(list(hours.values()))) * design.losses
    nothing = There(0, (np.array([0]), np.array([0])))
    prices = Prices((all_losses / 2, all_losses / 2), design.patient_hours)
    return cheapest(components.typical(), nothing, prices, design.margin, design.aim)[0]
