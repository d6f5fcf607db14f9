"""The answer as figures take it: datasets on which losses are compared, their designs, what is left out."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.statistics.cell import CellAnswer, Comparison
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.scale import Scale
from harness.statistics.study_answer import StudyAnswer
from harness.statistics.wording import names, title_of
from reports.figures.registry import NothingToDraw
from reports.results import ListedLoss, StudyResults

_ANYTHING = "comparison of losses"


@dataclass(frozen=True)
class Compared:
    """A dataset on which losses are compared.

    Attributes:
        answer: All of it.
        comparison: Of the primary metric.
        losses: Those that are compared, in the order of every figure.
        reference: The loss that others are seen against: the study's first reference that is compared, else
            the recommended loss.
    """

    answer: DatasetAnswer
    comparison: Comparison
    losses: tuple[ListedLoss, ...]
    reference: str

    @property
    def dataset(self) -> str:
        """Its name."""
        return self.answer.dataset

    @property
    def cell(self) -> CellAnswer:
        """The answer for the primary metric."""
        return self.answer.primary

    @property
    def design(self) -> str:
        """Patients and seeds, for the head of a panel: ``N = 14, S = 2 to 5``."""
        patients, seeds = _design(self.cell)
        return f"N = {patients}, S = {seeds}"


def answer_of(results: StudyResults, what: str = _ANYTHING) -> StudyAnswer:
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


def compared_datasets(results: StudyResults, what: str = _ANYTHING) -> list[Compared]:
    """Return the datasets on which losses are compared.

    Args:
        results: Of the study.
        what: What would be drawn, to begin the sentence if nothing is.

    Raises:
        NothingToDraw: if there are none.
    """
    answer = answer_of(results, what)
    found = [each for one in answer.datasets if (each := _compared(results, one)) is not None]
    if not found:
        raise NothingToDraw(f"No {what}: losses cannot be compared on {_not_compared(answer)}.")
    return found


def _compared(results: StudyResults, answer: DatasetAnswer) -> Compared | None:
    comparison = answer.primary.comparison
    if comparison is None:
        return None
    inside = comparison.pairs.losses
    losses = tuple(in_order(results, inside))
    wanted = [*answer.primary.asked.references, answer.primary.recommendation.loss, losses[0].label]
    return Compared(answer, comparison, losses, next(each for each in wanted if each in inside))


def left_out(results: StudyResults) -> str:
    """Return datasets without a comparison and why, a sentence with a space before it; empty if none."""
    told = _not_compared(answer_of(results))
    return f" Left out: {told}." if told else ""


def _not_compared(answer: StudyAnswer) -> str:
    """Return datasets without a comparison, those with the same reason together: ``a, b (one seed)``."""
    by_reason: dict[str, list[str]] = {}
    for each in answer.datasets:
        if each.primary.comparison is None:
            by_reason.setdefault(each.primary.recommendation.why, []).append(each.dataset)
    return "; ".join(f"{names(datasets)} ({why})" for why, datasets in by_reason.items())


def lacks_reference(results: StudyResults, reference: str, shown: Collection[str]) -> str:
    """Return on which datasets a reference is not compared though others are, a sentence as ``left_out``.

    Args:
        results: Of the study.
        reference: Label.
        shown: Datasets on which it is compared.
    """
    absent = [each.dataset for each in compared_datasets(results) if each.dataset not in shown]
    return f" {reference} is not compared on {names(absent)}." if absent else ""


def design_sentence(results: StudyResults, cells: Sequence[CellAnswer] | None = None) -> str:
    """Return patients and seeds of datasets as a sentence; equal ones are told once.

    Args:
        results: Of the study.
        cells: One at least; those of all compared datasets if absent.
    """
    if cells is None:
        cells = [each.cell for each in compared_datasets(results)]
    part = "test" if results.part == "test" else "VALIDATION"
    places: dict[str, dict[str, None]] = {}
    for cell in cells:
        patients, seeds = _design(cell)
        words = f"N = {patients} {part} patients and S = {seeds} seeds of each loss"
        places.setdefault(words, {})[cell.block.dataset] = None
    if len(places) == 1:
        [(words, datasets)] = places.items()
        return f"{words}{' on each of these datasets' if len(datasets) > 1 else ''}."
    return "; ".join(f"{words} on {names(list(datasets))}" for words, datasets in places.items()) + "."


def _design(cell: CellAnswer) -> tuple[int, str]:
    """Return patients and, as text, seeds of use of the compared losses: ``5``, or ``2 to 5`` if unequal."""
    known = cell.block.seeds if cell.comparison is None else cell.comparison.parts.seeds
    low, high = int(known.min()), int(known.max())
    return len(cell.block.patients), f"{low}" if low == high else f"{low} to {high}"


def in_order(results: StudyResults, labels: Iterable[str]) -> list[ListedLoss]:
    """Return the listed losses among ``labels``, in the order of every figure."""
    wanted = set(labels)
    return [loss for loss in results.losses if loss.label in wanted]


def reference_of(results: StudyResults) -> str | None:
    """Return the first reference of the plan that is compared on some dataset; None if none is."""
    answer = answer_of(results)
    compared = {loss for each in answer.datasets for loss in each.primary.block.losses}
    return next((loss for loss in answer.results.plan.references if loss in compared), None)


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


def score_name(metric: str, scale: Scale) -> str:
    """Return the name of a metric on the scale on which it is analysed, higher values being better."""
    title = title_of(metric)
    if scale.log:
        return f"−log {title}"
    return title if scale.direction == "higher" else f"−{title}"
