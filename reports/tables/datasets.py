"""Table T5: the datasets, and whether they can tell these losses apart."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.statistics.discriminability import ENOUGH
from harness.statistics.wording import title_of
from reports.results import StudyResults, photographs_among
from reports.tables.model import WordTable
from reports.tables.notes import torn_notes
from reports.tables.numbers import answers_in_order, number, shown_notes
from reports.tables.registry import AnyTable, register_table
from reports.tables.score_table import NOTHING

_COLUMNS = (
    "Dataset",
    "Name",
    "Patients",
    "Cases",
    "Classes",
    "Foreground, median (range)",
    "Spacing (mm)",
    "Split",
    "Patients scored",
    "Seeds",
    "G",
)


@dataclass(frozen=True)
class _Described:
    """What is told of a dataset.

    Attributes:
        name: Its name.
        fractions: Foreground of each case, in per cent.
        spacings: Distinct ones.
        patients: Their number.
        cases: Their number.
        scored: Smallest and largest number of patients of a run that is shown; None without one.
        seeds: Smallest and largest number of seeds of a loss with a run that is shown; None without one.
        discriminability: G; NaN where losses were not compared.
    """

    name: str
    fractions: pd.Series
    spacings: tuple[tuple[float, ...], ...]
    patients: int
    cases: int
    scored: tuple[int, int] | None
    seeds: tuple[int, int] | None
    discriminability: float


@register_table("T5", "datasets")
def dataset_tables(results: StudyResults) -> list[AnyTable]:
    """Return Table T5."""
    return [dataset_table(results)]


def dataset_table(results: StudyResults) -> WordTable:
    """Return patients, cases, classes, foreground, spacing, split and discriminability of every dataset."""
    described = [_described(results, name) for name in results.datasets]
    part = (
        "validation patients"
        if results.part == "validation"
        else "the test patients, with folds all patients"
    )
    title = title_of(results.answer.metric) if results.answer else ""
    told = (
        [
            f"G: share of true differences between losses in the spread of their mean {title} "
            f"(discriminability, 0 to 1); below {ENOUGH:g} the dataset cannot rank these losses."
        ]
        if title
        else []
    )
    return WordTable(
        "t5_datasets",
        "The datasets: patients, cases, classes, foreground, spacing and split.",
        _COLUMNS,
        tuple(_row(results, each) for each in described),
        (
            *shown_notes(results, results.datasets),
            "Foreground: share of the voxels of a case. Spacing: of the voxels, in the order of the axes. "
            f"Patients scored: in each run, {part}. Seeds: of each loss, in the runs that are shown.",
            *told,
            *torn_notes(results, results.datasets),
        ),
        pd.DataFrame([_data(results, each) for each in described]),
        (False, False, True, True, False, False, False, False, True, True, True),
    )


def _described(results: StudyResults, dataset: str) -> _Described:
    cases = results.cases[results.cases["dataset"] == dataset]
    runs = results.run_values[results.run_values["dataset"] == dataset]
    seeds = runs.groupby("label")["seed"].nunique()
    comparisons = {each.dataset: each.primary.comparison for each in answers_in_order(results)}
    comparison = comparisons.get(dataset)
    return _Described(
        dataset,
        pd.Series([100 * sum(voxels[1:]) / max(1, sum(voxels)) for voxels in cases["voxels"]], dtype=float),
        tuple(sorted({tuple(map(float, spacing)) for spacing in cases["spacing"]})),
        int(cases["patient"].nunique()),
        len(cases),
        (int(runs["patients"].min()), int(runs["patients"].max())) if len(runs) else None,
        (int(seeds.min()), int(seeds.max())) if len(seeds) else None,
        float("nan") if comparison is None else comparison.discriminability.value,
    )


def _row(results: StudyResults, each: _Described) -> tuple[str, ...]:
    middle, low, high = each.fractions.median(), each.fractions.min(), each.fractions.max()
    flat = each.name in photographs_among(results.cases)
    spacings = ["\u00a0×\u00a0".join(f"{length:.3g}" for length in spacing) for spacing in each.spacings]
    distinct = list(dict.fromkeys(spacings))
    spacing = distinct[0] if len(distinct) == 1 else f"{distinct[0]} and {len(distinct) - 1} others"
    spacing = "none (photographs)" if flat else spacing
    return (
        results.titles[each.name],
        each.name,
        str(each.patients),
        str(each.cases),
        ", ".join(results.classes(each.name)[1:]),
        f"{middle:.2g} % ({low:.2g} to {high:.2g} %)",
        spacing,
        split_words(results, each.name),
        _range(each.scored),
        _range(each.seeds),
        number(each.discriminability, 2),
    )


def split_words(results: StudyResults, dataset: str) -> str:
    """Return how a dataset was divided, in a word or two."""
    folds = results.folds[dataset]
    if not results.splits[dataset]:
        return "as scored"
    return f"{folds} folds" if folds > 1 else "hold-out"


def _range(ends: tuple[int, int] | None) -> str:
    if ends is None:
        return NOTHING
    return str(ends[0]) if ends[0] == ends[1] else f"{ends[0]} to {ends[1]}"


def _data(results: StudyResults, each: _Described) -> dict[str, object]:
    scored, seeds = each.scored or (None, None), each.seeds or (None, None)
    return {
        "dataset": each.name,
        "title": results.titles[each.name],
        "patients": each.patients,
        "cases": each.cases,
        "classes": "; ".join(results.classes(each.name)[1:]),
        "foreground_median": float(each.fractions.median()) / 100,
        "foreground_least": float(each.fractions.min()) / 100,
        "foreground_most": float(each.fractions.max()) / 100,
        "spacings_mm": "; ".join(" x ".join(f"{length:g}" for length in own) for own in each.spacings),
        "split": split_words(results, each.name),
        "patients_scored_least": scored[0],
        "patients_scored_most": scored[1],
        "seeds_least": seeds[0],
        "seeds_most": seeds[1],
        "discriminability": each.discriminability if np.isfinite(each.discriminability) else None,
    }
