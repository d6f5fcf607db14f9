"""Supplementary tables of scores: by class (S1), of every metric (S2), of both checkpoints (S4).

Numbers that papers print by class stand in S1, those of metrics that are not in T1 in S2.
"""

import pandas as pd

from reports.aggregate import patient_values, run_values, seed_statistics
from reports.results import StudyResults
from reports.tables.model import Table
from reports.tables.notes import BOLD, table_notes
from reports.tables.published import Place, nearest_metrics, with_published
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import (
    ScoreTable,
    cell_frame,
    file_name,
    part_words,
    score_table,
    subject,
)

_NO_TEST = f"{BOLD}, and no inference was made on this table."
_WORDS = {"best": "best validation DSC", "last": "last epoch"}


@register_table("S1", "classes")
def supplements_by_class(results: StudyResults) -> list[AnyTable]:
    """Return the tables by class."""
    return list(class_tables(results))


def class_tables(results: StudyResults) -> list[Table]:
    """Return one table for every dataset with more than one foreground class."""
    return [
        _class_table(results, dataset) for dataset in results.datasets if len(results.classes(dataset)) > 2
    ]


def _class_table(results: StudyResults, dataset: str) -> Table:
    rows = results.scores[results.scores["dataset"] == dataset]
    by = ["class_index"]
    statistics = seed_statistics(run_values(patient_values(rows, by), by), by)
    names = results.classes(dataset)
    metrics = results.main_metrics()
    columns = [(dataset, metric) for metric in metrics]
    frames = [
        cell_frame(results, statistics[statistics["class_index"] == index], columns).assign(
            class_name=names[index]
        )
        for index in range(1, len(names))
    ]
    table = score_table(
        results,
        pd.concat(frames, ignore_index=True),
        ScoreTable(
            name=f"s1_classes_{file_name(dataset)}",
            caption=f"{subject(results, metrics)} by class on {part_words(results)} of {dataset}.",
            notes=(*table_notes(results, [dataset]), _NO_TEST),
            group=lambda row: str(row["class_name"]),
        ),
    )
    places = [Place(name, dataset, name) for name in names[1:]]
    return with_published(results, table, places, metrics, others=True)


@register_table("S2", "metrics")
def supplements_of_metrics(results: StudyResults) -> list[AnyTable]:
    """Return one table of every metric for each dataset.

    Raises:
        NothingToTell: if there are no others than those of the main table.
    """
    present = set(results.run_values["metric"])
    metrics = [str(name) for name in results.metrics["name"] if name in present]
    ordered = [*results.main_metrics(), *(name for name in metrics if name not in results.main_metrics())]
    if len(ordered) <= len(results.main_metrics()):
        raise NothingToTell("Table S2: no metric was computed beside those of the main table.")
    return [_metric_table(results, dataset, ordered) for dataset in results.datasets]


def _metric_table(results: StudyResults, dataset: str, metrics: list[str]) -> Table:
    own = results.run_values[results.run_values["dataset"] == dataset]
    told = [metric for metric in metrics if (own["metric"] == metric).any()] or metrics
    table = score_table(
        results,
        cell_frame(results, seed_statistics(own), [(dataset, metric) for metric in told]),
        ScoreTable(
            name=f"s2_metrics_{file_name(dataset)}",
            caption=f"All {len(told)} metrics, {_cells(results)}, on {part_words(results)} of {dataset}.",
            notes=(*table_notes(results, [dataset]), *_definitions(results, told), _NO_TEST),
            group=lambda row: str(row["dataset"]),
        ),
    )
    in_main = {*results.main_metrics(), *nearest_metrics(results, dataset)}
    others = [metric for metric in told if metric not in in_main]
    return with_published(results, table, [Place(dataset, dataset)], others, others=True)


def _cells(results: StudyResults) -> str:
    return "mean (SD over seeds)" if results.seeds > 1 else "mean"


def _definitions(results: StudyResults, metrics: list[str]) -> list[str]:
    known = results.metrics.set_index("name")
    if "description" not in known:
        return []
    told = [
        f"{known['title'][metric]}: {str(known['description'][metric]).rstrip('.')}"
        for metric in metrics
        if isinstance(known["description"][metric], str) and known["description"][metric]
    ]
    return [f"{'. '.join(told)}."] if told else []


@register_table("S4", "checkpoints")
def supplements_of_checkpoints(results: StudyResults) -> list[AnyTable]:
    """Return one table for each dataset with the scores of both checkpoints.

    Raises:
        NothingToTell: if another checkpoint was not scored.
    """
    others = {} if results.answer is None else results.answer.results.other_checkpoints
    found = {name: frame for name, frame in others.items() if len(frame)}
    if not found:
        raise NothingToTell("Table S4: only one checkpoint of every run was scored.")
    frames: dict[str, pd.DataFrame] = {results.checkpoint: results.run_values}
    for name, frame in found.items():
        scores = frame.rename(columns={"loss": "label"}).assign(fold=0)
        frames[name] = run_values(patient_values(scores))
    statistics = {name: seed_statistics(frame) for name, frame in frames.items()}
    return [_checkpoint_table(results, dataset, statistics) for dataset in results.datasets]


def _checkpoint_table(results: StudyResults, dataset: str, statistics: dict[str, pd.DataFrame]) -> Table:
    metrics = results.main_metrics()
    columns = [(dataset, metric) for metric in metrics]
    frames = [
        cell_frame(results, own[own["dataset"] == dataset], columns).assign(checkpoint=name)
        for name, own in statistics.items()
    ]
    return score_table(
        results,
        pd.concat(frames, ignore_index=True),
        ScoreTable(
            name=f"s4_checkpoints_{file_name(dataset)}",
            caption=f"{subject(results, metrics)} of both checkpoints on {part_words(results)} of {dataset}.",
            notes=(
                *table_notes(results, [dataset]),
                "The comparisons of this report rest on the checkpoint of the "
                f"{_WORDS.get(results.checkpoint, results.checkpoint)}; the other one is here to see whether "
                "the order of the losses hangs on the choice.",
                _NO_TEST,
            ),
            group=lambda row: _WORDS.get(str(row["checkpoint"]), str(row["checkpoint"])),
        ),
    )
