"""What would settle a comparison of two losses: more seeds, more patients, both, or nothing of the kind."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.statistics.crossed import Parts, all_pairs
from harness.statistics.power import POWER, Aim, aim_for, detectable, power_of
from harness.statistics.seeds_and_cases import (
    Floors,
    Prices,
    There,
    cheapest,
    fewest_patients,
    fewest_seeds,
    floors,
)
from harness.statistics.variance_components import Components, Values, components_of

Purpose: TypeAlias = Literal["margin", "observed", "equivalence"]
"""To find a difference of the margin; to confirm the difference that was seen, which is optimistic, for the
seen one is noise, too; to prove that the losses are equivalent, if the seen difference is the true one."""

Outcome: TypeAlias = Literal["enough", "seeds", "patients", "both", "impossible"]
"""What more evidence would settle: none is needed; seeds; patients, for no number of seeds would do; patients
and seeds together; ``impossible``: nothing, as the seen difference is not inside the margin, or is zero."""


@dataclass(frozen=True)
class PairPlan:
    """What one comparison needs.

    Attributes:
        loss_a: One loss.
        loss_b: The other.
        purpose: What it is to show.
        pessimistic: Whether the seed variance is taken to be larger than it seems.
        outcome: In a word.
        difference: a minus b as seen, in scores; NaN before any pilot.
        target: Difference to be found, or half-width wanted for equivalence, in scores.
        patients: At hand or planned.
        seeds: At hand or planned, of a and of b.
        detectable: Smallest difference that they find, or their half-width for equivalence.
        power: Chance that they find the target; NaN for equivalence.
        floor_seeds: ``detectable`` of these patients with any number of seeds.
        floor_patients: ``detectable`` of these seeds with any number of patients.
        seeds_needed: In all, of a loss that has fewer; None if 200 do not suffice with these patients.
        patients_needed: In all; None if no number suffices with these seeds.
        together: Patients and seeds in all, if only both together suffice: the smallest relative increase.
        more_runs: Of both losses together, to have ``seeds_needed``.
        hours: Of these runs; None if nobody knows.
    """

    loss_a: str
    loss_b: str
    purpose: Purpose
    pessimistic: bool
    outcome: Outcome
    difference: float
    target: float
    patients: int
    seeds: tuple[int, int]
    detectable: float
    power: float
    floor_seeds: float
    floor_patients: float
    seeds_needed: int | None
    patients_needed: int | None
    together: tuple[int, int] | None
    more_runs: int | None
    hours: float | None

    @property
    def impossible_here(self) -> bool:
        """Whether no number of seeds would do with these patients."""
        return self.outcome in {"patients", "both", "impossible"}


@dataclass(frozen=True)
class PlannedPairs:
    """Pairs of losses and the design that they are planned in.

    Attributes:
        names: Of the two losses of each pair.
        components: Of each pair.
        difference: First minus second as seen; NaN before any pilot.
        there: Patients and seeds, at hand or planned.
        hours: Of one run of the first and of the second loss of each pair; NaN if unknown.
        at_hand: Whether all of it is there already; of a design that is only planned, fewer may do.
    """

    names: tuple[tuple[str, str], ...]
    components: Components
    difference: Values
    there: There
    hours: tuple[Values, Values]
    at_hand: bool = True


def plan_pairs(
    pairs: PlannedPairs,
    margin: float,
    aim: Aim,
    purpose: Purpose = "margin",
    pessimistic: bool = False,
) -> list[PairPlan]:
    """Return what each pair needs.

    Args:
        pairs: Which, in which design.
        margin: Of scores, above 0.
        aim: Level of one comparison and power.
        purpose: What is to be shown.
        pessimistic: Whether the seeds of the pilot agreed by luck.
    """
    if not pairs.names:
        return []
    components = pairs.components.pessimistic() if pessimistic else pairs.components
    there, seen = pairs.there, np.abs(pairs.difference)
    target = {"margin": np.full_like(seen, margin), "observed": seen, "equivalence": margin - seen}[purpose]
    if purpose == "equivalence":
        aim = aim.of_equivalence()
    first, second = there.seeds
    now = detectable(components, there.patients, first, aim, second)
    possible = target > 0
    kept = there if pairs.at_hand else None
    seeds = np.where(possible, fewest_seeds(components, there.patients, target, aim, kept), np.nan)
    patients = np.where(possible, fewest_patients(components, first, target, aim, second), np.nan)
    if pairs.at_hand:
        enough = possible & (now <= target)
        seeds = np.where(enough, np.minimum(first, second), seeds)
        patients = np.where(enough, there.patients, np.maximum(patients, there.patients))
    power = np.full_like(now, np.nan)
    if purpose != "equivalence":
        power = power_of(components, there.patients, first, target, aim.alpha, second)
    together = _together(components, there, target, aim, np.isnan(seeds) & np.isnan(patients) & possible)
    found = _Found(target, now, power, floors(components, there, aim), seeds, patients, together)
    return [_pair_plan(pairs, index, found, (purpose, pessimistic)) for index in range(len(pairs.names))]


def open_pairs(
    parts: Parts,
    losses: Sequence[str],
    margin: float,
    alpha: float = 0.05,
    power: float = POWER,
    seconds: Mapping[str, float] | None = None,
    pairs: Sequence[tuple[str, str]] | None = None,
) -> list[PairPlan]:
    """Return what would settle each comparison with the best that is open.

    Open is a comparison of the loss with the highest mean that shows neither that the other is worse nor that
    it is as good within the margin, at alpha / (losses - 1).

    Args:
        parts: Of the losses.
        losses: Labels.
        margin: Of scores, above 0.
        alpha: Of all comparisons of a dataset and metric together.
        power: To find a difference of the margin.
        seconds: Of one run, by label, of all folds together; hours stay unknown without.
        pairs: Instead of those with the best: any pairs, open or not.
    """
    if len(losses) < 2:
        return []
    place = {loss: index for index, loss in enumerate(losses)}
    if pairs is None:
        chosen = _open_with_best(parts, losses, margin, alpha)
    else:
        chosen = [(place[a], place[b]) for a, b in pairs]
    first = np.array([a for a, _ in chosen], np.int64)
    second = np.array([b for _, b in chosen], np.int64)
    hours = np.array([(seconds or {}).get(loss, np.nan) / 3600 for loss in losses])
    planned = PlannedPairs(
        tuple((losses[a], losses[b]) for a, b in chosen),
        components_of(parts, first, second),
        parts.means[first] - parts.means[second],
        There(parts.patients, (parts.seeds[first], parts.seeds[second])),
        (hours[first], hours[second]),
    )
    return plan_pairs(planned, margin, aim_for(len(losses), alpha, power))


def pair_table(plans: Sequence[PairPlan]) -> pd.DataFrame:
    """Return plans as a frame for tables and figures, one row each; ``seeds_a`` and ``seeds_b`` apart."""
    names = [each.name for each in fields(PairPlan)]
    table = pd.DataFrame([[getattr(plan, name) for name in names] for plan in plans], columns=names)
    for side, name in enumerate(("seeds_a", "seeds_b")):
        table.insert(names.index("seeds") + side, name, [plan.seeds[side] for plan in plans])
    counts = ("seeds_needed", "patients_needed", "more_runs")
    return table.drop(columns="seeds").astype(dict.fromkeys(counts, "Int64"))


@dataclass(frozen=True)
class _Found:
    target: Values
    now: Values
    power: Values
    floors: Floors
    seeds: Values
    patients: Values
    together: Mapping[int, tuple[int, int]]


def _together(
    components: Components, there: There, target: Values, aim: Aim, wanted: NDArray[np.bool_]
) -> dict[int, tuple[int, int]]:
    """Return patients and seeds by pair, of those that need both: what is there costs one unit of either."""
    at = np.flatnonzero(wanted)
    if not len(at):
        return {}
    own = There(there.patients, (there.seeds[0][at], there.seeds[1][at]))
    prices = Prices((0.5 / np.maximum(1, own.seeds[0]), 0.5 / np.maximum(1, own.seeds[1])), 1 / own.patients)
    found = cheapest(components.of(at), own, prices, target[at], aim)
    return {
        int(pair): (best.patients, best.seeds)
        for pair, best in zip(at, found, strict=True)
        if best is not None
    }


def _pair_plan(pairs: PlannedPairs, index: int, found: _Found, row: tuple[Purpose, bool]) -> PairPlan:
    first, second = pairs.there.seeds
    own = int(first[index]), int(second[index])
    seeds, patients = _whole(found.seeds[index]), _whole(found.patients[index])
    target, now = float(found.target[index]), float(found.now[index])
    together = found.together.get(index)
    more = None if seeds is None else [max(0, seeds - each) for each in own]
    hours = None
    if more is not None:
        cost = sum(n * float(pairs.hours[side][index]) for side, n in enumerate(more) if n)
        hours = None if np.isnan(cost) else float(cost)
    return PairPlan(
        *pairs.names[index],
        *row,
        _outcome(target > 0 and now <= target, seeds, patients, together),
        float(pairs.difference[index]),
        target,
        pairs.there.patients,
        own,
        now,
        float(found.power[index]),
        float(found.floors.seeds[index]),
        float(found.floors.patients[index]),
        seeds,
        patients,
        together,
        None if more is None else sum(more),
        hours,
    )


def _outcome(
    enough: bool, seeds: int | None, patients: int | None, together: tuple[int, int] | None
) -> Outcome:
    if enough:
        return "enough"
    if seeds is not None:
        return "seeds"
    if patients is not None:
        return "patients"
    return "impossible" if together is None else "both"


def _open_with_best(
    parts: Parts, losses: Sequence[str], margin: float, alpha: float
) -> list[tuple[int, int]]:
    """Return (best, other) of all comparisons that are open, the closest first."""
    found = all_pairs(losses, parts)
    best = int(np.argmax(parts.means))
    half = found.half_width(alpha / (len(losses) - 1))[best]
    difference = found.difference[best]
    unsettled = (difference - half <= 0) & (difference + half >= margin)
    order: NDArray[np.int64] = np.argsort(difference, kind="stable")
    return [(best, int(other)) for other in order if other != best and unsettled[other]]


def _whole(number: float) -> int | None:
    return None if np.isnan(number) else int(number)
