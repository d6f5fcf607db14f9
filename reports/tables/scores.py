"""Table T1: losses by family, and per dataset DSC, HD and HD95, with printed numbers beside ours."""

from reports.aggregate import seed_statistics
from reports.results import StudyResults
from reports.tables.model import Table
from reports.tables.notes import table_notes
from reports.tables.published import Place, nearest_metrics, with_published
from reports.tables.registry import AnyTable, register_table
from reports.tables.score_table import (
    ARROWS,
    NOTHING,
    ScoreTable,
    cell_frame,
    file_name,
    part_words,
    score_table,
    subject,
)
from reports.tables.standing import inference_notes, standings

__all__ = ["ARROWS", "NOTHING", "file_name", "main_table", "main_tables"]


@register_table("T1", "main")
def main_tables(results: StudyResults) -> list[AnyTable]:
    """Return Table T1."""
    return [main_table(results)]


def main_table(results: StudyResults) -> Table:
    """Return Table T1: mean (SD over seeds) of every loss on every dataset.

    Another metric of ours has columns where it is the nearest to printed numbers.
    """
    nearest = {dataset: nearest_metrics(results, dataset) for dataset in results.datasets}
    metrics = list(
        dict.fromkeys([*results.main_metrics(), *(each for own in nearest.values() for each in own)])
    )
    columns = [
        (dataset, metric)
        for dataset in results.datasets
        for metric in metrics
        if metric in (*results.main_metrics(), *nearest[dataset])
    ]
    table = score_table(
        results,
        cell_frame(results, seed_statistics(results.run_values), columns),
        ScoreTable(
            name="t1",
            caption=f"{subject(results, metrics)} on {part_words(results)}, by loss and dataset.",
            notes=(*table_notes(results, results.datasets), *inference_notes(results, results.datasets)),
            group=lambda row: str(row["dataset"]),
            standings=standings(results),
        ),
    )
    places = [Place(dataset, dataset) for dataset in results.datasets]
    return with_published(results, table, places, metrics)
