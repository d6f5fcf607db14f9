"""What the figures of the answer share: which datasets have one, and how it is described."""

from collections.abc import Iterable, Sequence

from harness.statistics.cell import CellAnswer
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.scale import Scale
from harness.statistics.study_answer import StudyAnswer
from harness.statistics.wording import title_of
from reports.figures.registry import NothingToDraw
from reports.results import ListedLoss, StudyResults

TALLEST = 9.4
"""Inches: a figure that would be higher is split."""


def answer_of(results: StudyResults, what: str) -> StudyAnswer:
    """Return the answer.

    Args:
        results: Of the study.
        what: What would be drawn, to begin the sentence if nothing is.

    Raises:
        NothingToDraw: if there is none.
    """
    if results.answer is None:
        raise NothingToDraw(f"No {what}: {results.no_answer or 'there is no answer'}.")
    return results.answer


def compared_datasets(results: StudyResults, what: str) -> list[DatasetAnswer]:
    """Return the datasets on which losses are compared.

    Raises:
        NothingToDraw: if there are none.
    """
    answer = answer_of(results, what)
    found = [each for each in answer.datasets if each.primary.comparison is not None]
    if not found:
        raise NothingToDraw(f"No {what}: {answer.datasets[0].primary.recommendation.why}.")
    return found


def in_order(results: StudyResults, labels: Iterable[str]) -> list[ListedLoss]:
    """Return the listed losses among ``labels``, in the order of every figure."""
    wanted = set(labels)
    return [loss for loss in results.losses if loss.label in wanted]


def reference_of(results: StudyResults) -> str | None:
    """Return the first reference of the plan that is compared on some dataset; None if none is."""
    if results.answer is None:
        return None
    compared = {loss for each in results.answer.datasets for loss in each.primary.block.losses}
    return next((loss for loss in results.answer.results.plan.references if loss in compared), None)


def counts(numbers: Sequence[int], one: str, many: str) -> str:
    """Return how many there are, ``20 patients`` or ``12 to 20 patients``.

    Args:
        numbers: At least one.
        one: The word for one of them.
        many: The word for several.
    """
    low, high = min(numbers), max(numbers)
    word = one if high == 1 else many
    return f"{low} {word}" if low == high else f"{low} to {high} {word}"


def sample(cells: Sequence[CellAnswer]) -> str:
    """Return the size of the samples in words: patients, and runs of use of each compared loss."""
    patients = counts([len(cell.block.patients) for cell in cells], "patient", "patients")
    seeds = [int(each) for cell in cells for each in cell.block.seeds]
    return f"{patients}, {counts(seeds, 'seed', 'seeds')} of every loss" if seeds else patients


def left_out(results: StudyResults, shown: Iterable[str]) -> str:
    """Return a sentence on the datasets that a figure lacks, with a space before it; empty if it has all."""
    lacking = [name for name in results.datasets if name not in set(shown)]
    return f" Not shown, since losses cannot be compared there: {', '.join(lacking)}." if lacking else ""


def score_name(metric: str, scale: Scale) -> str:
    """Return the name of a metric on the scale on which it is analysed, higher values being better."""
    title = title_of(metric)
    if scale.log:
        return f"−log {title}"
    return title if scale.direction == "higher" else f"−{title}"
