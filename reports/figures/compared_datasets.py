"""What figures about the comparison of losses share: datasets that have one, designs, panels over pages."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.statistics.cell import CellAnswer, Comparison
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.wording import names
from reports.figures.registry import NothingToDraw
from reports.figures.style import row_name
from reports.results import ListedLoss, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TALLEST = 9.3
"""Inches: a figure that would be taller goes over several pages."""


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
    def seeds(self) -> str:
        """Seeds of use, as text: ``5``, or ``2 to 5`` where losses have unequal numbers."""
        return _range(self.comparison.parts.seeds.tolist())

    @property
    def design(self) -> str:
        """Patients and seeds, for the head of a panel."""
        return f"N = {self.comparison.parts.patients}, S = {self.seeds}"


def compared_datasets(results: StudyResults, what: str) -> list[Compared]:
    """Return the datasets on which losses are compared.

    Args:
        results: Of a study.
        what: Is drawn of them, to say what is missing.

    Raises:
        NothingToDraw: if there is none.
    """
    if results.answer is None:
        raise NothingToDraw(f"No {what}: {results.no_answer}.")
    found = [_compared(results, each) for each in results.answer.datasets]
    known = [each for each in found if each is not None]
    if not known:
        reasons = dict.fromkeys(each.primary.recommendation.why for each in results.answer.datasets)
        raise NothingToDraw(f"No {what}: {'; '.join(reasons)}.")
    return known


def _compared(results: StudyResults, answer: DatasetAnswer) -> Compared | None:
    comparison = answer.primary.comparison
    if comparison is None:
        return None
    inside = comparison.pairs.losses
    losses = tuple(loss for loss in results.losses if loss.label in inside)
    wanted = [*answer.primary.asked.references, answer.primary.recommendation.loss, losses[0].label]
    return Compared(answer, comparison, losses, next(each for each in wanted if each in inside))


def design_words(results: StudyResults, shown: Sequence[Compared]) -> str:
    """Return patients and seeds of the datasets as a sentence."""
    part = "test" if results.part == "test" else "VALIDATION"
    places: dict[str, list[str]] = {}
    for each in shown:
        words = (
            f"N = {each.comparison.parts.patients} {part} patients and S = {each.seeds} seeds of each loss"
        )
        places.setdefault(words, []).append(each.dataset)
    if len(places) == 1:
        return f"{next(iter(places))}{' on every dataset' if len(shown) > 1 else ''}."
    return "; ".join(f"{words} on {names(where)}" for words, where in places.items()) + "."


def left_out(results: StudyResults) -> str:
    """Return the datasets without a comparison as a sentence with a space before it; nothing without any."""
    every = () if results.answer is None else results.answer.datasets
    lacking = {each.dataset: each.primary.recommendation.why for each in every if not each.primary.comparison}
    return "".join(f" Left out: {dataset}, where {why}." for dataset, why in lacking.items())


def pages(number: int, columns: int, rows_per_page: int) -> Iterator[tuple[int, int]]:
    """Yield the first panel of each page and the one after its last."""
    size = columns * max(1, rows_per_page)
    return ((start, min(start + size, number)) for start in range(0, number, size))


def page_name(name: str, number: int, of: int) -> str:
    """Return the file name of a page, numbered from 1 where there are several."""
    return name if of == 1 else f"{name}_{number}"


def head_panel(axis: "Axes", dataset: str, details: str) -> None:
    """Write a dataset's name over its panel, and smaller below it the details."""
    import matplotlib as mpl

    size = mpl.rcParams["xtick.labelsize"]
    axis.set_title(row_name(dataset), pad=size + 7)
    axis.annotate(
        details,
        (0, 1),
        (0, 4),
        xycoords="axes fraction",
        textcoords="offset points",
        fontsize=size,
        va="bottom",
    )


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"
