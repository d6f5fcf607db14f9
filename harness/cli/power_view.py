"""The planner's figures for people, and for other programs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from harness.cli.forecast import span
from harness.cli.output import print_table, stdout
from harness.cli.plan_power import DatasetPower
from harness.errors import InputError
from harness.statistics.pair_plans import PairPlan
from harness.statistics.scale import Scale
from harness.statistics.seeds_and_cases import MOST_SEEDS

MOST_ROWS = 10
"""Pairs that are printed; JSON has all."""


def size(difference: float, scale: Scale) -> str:
    """Return a difference of scores in the unit of the metric; of logarithms, in per cent.

    >>> size(0.0123, Scale()), size(0.0953, Scale("lower", log=True))
    ('0.012', '10 %')
    """
    if not np.isfinite(difference):
        return "?"
    if scale.log:
        return f"{100 * np.expm1(difference):.2g} %"
    return f"{difference:.2g}"


def short_sentence(power: DatasetPower) -> str | None:
    """Return what the ordinary plan says of a dataset; None if nothing is known."""
    found = power.found
    if found is None or power.pilot is None:
        return None
    design, typical = found.design, found.typical[0]
    margin, detected = size(design.margin, power.scale), size(typical.detectable, power.scale)
    told = (
        f"{power.dataset}: {design.seeds} seeds on {_patients(power)} find differences of {power.metric} of "
        f"{detected} and more; the margin is {margin}"
    )
    if typical.outcome == "seeds":
        told += f" and takes {typical.seeds_needed} seeds"
    elif typical.impossible_here:
        told += ", which no number of seeds finds with these patients"
    return f"{told} (by a pilot of {power.pilot.seeds} seeds; --power says more)"


def print_power(powers: Sequence[DatasetPower]) -> None:
    """Print all datasets.

    Raises:
        InputError: if nothing can be said of any of them.
    """
    if all(each.found is None for each in powers):
        raise InputError(f"dataset {powers[0].dataset!r}: {powers[0].reason}")
    for power in powers:
        for sentence in sentences(power):
            stdout.print(sentence, highlight=False, markup=False)
        if table := rows(power):
            print_table(table)


def sentences(power: DatasetPower) -> Iterator[str]:
    """Yield what a dataset's design can find, and what would be better."""
    found, scale = power.found, power.scale
    if found is None:
        yield f"{power.dataset}, {power.metric}: {power.reason}"
        return
    design, (seeming, unlucky) = found.design, found.typical
    yield (
        f"{power.dataset}, {power.metric}: {_patients(power)}, {design.seeds} seeds, {design.losses} losses; "
        f"{_source(power)}"
    )
    low, typical, high = (size(each, scale) for each in found.detectable)
    spread = "" if low == high else f" ({low} to {high} over all pairs)"
    yield (
        f"smallest difference found {100 * design.power:.0f} times in 100: {typical} for a typical "
        f"pair{spread}; the margin is {size(design.margin, scale)}, its power {seeming.power:.2f}"
    )
    yield f"to find the margin: {_needs(seeming, power)}"
    yield f"if the seeds differ more than it seems: {_needs(unlucky, power)}"
    yield (
        f"seeds alone reach {size(seeming.floor_seeds, scale)} with these patients, patients alone "
        f"{size(seeming.floor_patients, scale)} with these seeds"
    )
    if found.cheapest is not None:
        best = found.cheapest
        yield (
            f"cheapest design from scratch: {best.seeds} seeds of every loss on {best.patients} patients, "
            f"{span(3600 * best.hours)} in all"
        )
    yield from _discrimination(power)


def rows(power: DatasetPower) -> list[dict[str, Any]]:
    """Return the table of the leading pairs, the closest first."""
    found = power.found
    if found is None:
        return []
    plans = {(each.loss_b, each.purpose, each.pessimistic): each for each in found.leading}
    shares = found.shares.set_index(["loss_b", "source"])["share"]
    others = list(dict.fromkeys(each.loss_b for each in found.leading))
    return [
        {
            "best so far": plans[other, "margin", False].loss_a,
            "other": other,
            "seen": size(plans[other, "margin", False].difference, power.scale),
            "found from": size(plans[other, "margin", False].detectable, power.scale),
            "power": f"{plans[other, 'margin', False].power:.2f}",
            "seeds": _number(plans[other, "margin", False].seeds_needed),
            "patients": _number(plans[other, "margin", False].patients_needed),
            "pessimistic": _number(plans[other, "margin", True].seeds_needed),
            "seen (optimistic)": _number(plans[other, "observed", False].seeds_needed),
            "equivalence": _number(plans[other, "equivalence", False].seeds_needed),
            "patients, seeds, rest": " ".join(
                f"{100 * shares[other, source]:.0f} %" for source in ("patients", "seeds", "residual")
            ),
        }
        for other in others[:MOST_ROWS]
    ]


def as_json(power: DatasetPower) -> dict[str, Any]:
    """Return all of it for other programs; differences are of scores, see ``scale``."""
    found, pilot = power.found, power.pilot
    told: dict[str, Any] = {
        "dataset": power.dataset,
        "metric": power.metric,
        "scale": asdict(power.scale),
        "part": power.part,
        "reason": power.reason or None,
        "hours of one seed of every loss": power.seed_hours,
        "pilot": None
        if pilot is None
        else {
            "part": "validation",
            "losses": list(pilot.losses),
            "left out": list(pilot.left_out),
            "stand apart": list(pilot.apart),
            "seeds": pilot.seeds,
            "patients": pilot.patients,
        },
    }
    if found is not None:
        smallest, typical, largest = found.detectable
        told |= {
            "design": asdict(found.design),
            "detectable": {"smallest": smallest, "typical": typical, "largest": largest},
            "typical pair": asdict(found.typical[0]),
            "typical pair, pessimistic": asdict(found.typical[1]),
            "leading pairs": [asdict(each) for each in found.leading],
            "variance shares": _records(found.shares),
            "grid": _records(found.grid),
            "discriminability": None
            if found.discriminability is None
            else asdict(found.discriminability) | {"enough": found.discriminability.enough},
            "cheapest": None if found.cheapest is None else asdict(found.cheapest),
        }
    cleaned = _finite(told)
    assert isinstance(cleaned, dict)
    return cleaned


def _patients(power: DatasetPower) -> str:
    count = 0 if power.found is None else power.found.design.patients
    return f"{count} {power.part} patients"


def _source(power: DatasetPower) -> str:
    if power.pilot is None:
        return "variances as stated"
    left_out = power.pilot.left_out
    without = f", without {', '.join(left_out)}: too few seeds" if left_out else ""
    return (
        f"variances from {power.pilot.seeds} seeds of {len(power.pilot.losses)} losses on "
        f"{power.pilot.patients} validation patients{without}; no test score was read"
    )


def _needs(plan: PairPlan, power: DatasetPower) -> str:
    assert power.found is not None
    if plan.seeds_needed is not None:
        told = f"{plan.seeds_needed} seeds with these patients{_cost(plan.seeds_needed, power)}"
    else:
        told = f"impossible with these patients, even with {MOST_SEEDS} seeds"
    if plan.patients_needed is not None:
        told += f"; {plan.patients_needed} patients with these seeds"
    elif plan.together is not None:
        patients, seeds = plan.together
        told += f"; {patients} patients and {seeds} seeds together"
    else:
        told += "; with these seeds impossible with any number of patients"
    return told


def _cost(seeds: int, power: DatasetPower) -> str:
    assert power.found is not None
    more = seeds - power.found.design.seeds
    if more <= 0 or power.seed_hours is None:
        return ""
    return f" ({more} more of every loss: {span(3600 * more * power.seed_hours)} on one worker)"


def _discrimination(power: DatasetPower) -> Iterator[str]:
    found = power.found
    if (
        found is None
        or power.pilot is None
        or found.discriminability is None
        or np.isnan(found.discriminability.value)
    ):
        return
    if power.pilot.apart:
        yield f"seeds differ far more than elsewhere: {', '.join(power.pilot.apart)}"
    can = "can rank" if found.discriminability.enough else "cannot rank"
    value = found.discriminability.value
    these = "the other losses" if power.pilot.apart else "these losses"
    yield f"discriminability {value:.2f}: with this design the dataset {can} {these}"


def _number(count: int | None) -> int | str:
    return "impossible" if count is None else count


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [dict(zip(frame.columns, row, strict=True)) for row in frame.itertuples(index=False, name=None)]


def _finite(content: object) -> object:
    """Replace what JSON has no word for by null."""
    if isinstance(content, Mapping):
        return {key: _finite(value) for key, value in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [_finite(value) for value in content]
    if isinstance(content, float):
        return content if np.isfinite(content) else None
    return content
