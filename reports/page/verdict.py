"""The verdict: its sentences, a card for every dataset, the class of every loss."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from harness.statistics.cell import CellAnswer, LossRow
from harness.statistics.dataset_answer import DatasetAnswer
from harness.statistics.study_answer import OverDatasets, StudyAnswer
from harness.statistics.wording import margin_words, names, settling, title_of, verdict, warnings
from reports.page.shown_tables import CLASSES, ShownCell, ShownColumn, ShownRow, ShownTable, class_mark
from reports.results import StudyResults
from reports.tables.scores import NOTHING

_STRENGTHS = {
    "proven": ("proven", "Proven within the margin"),
    "not proven": ("guess", "Best guess, not proven"),
    "none over the reference": ("reference", "Reference not beaten"),
    "no answer": ("none", "No answer"),
}
_CONTINUES = re.compile(r"\d|What follows|Advice drawn")
"""How sentences begin that belong to the one before."""


@dataclass(frozen=True)
class Card:
    """What is advised for one dataset, or for all.

    Attributes:
        title: Of the dataset.
        name: Its name; empty for all datasets together.
        kind: Name of its look.
        strength: How sure it is, in words.
        loss: The advice; empty if there is none.
        why: Why there is none.
        facts: Terms with what they are.
    """

    title: str
    name: str
    kind: str
    strength: str
    loss: str
    why: str
    facts: tuple[tuple[str, str], ...]


Sentences: TypeAlias = tuple[tuple[str, str], tuple[str, ...]]
"""Title and name of a dataset, and what is said about it."""


@dataclass(frozen=True)
class Verdict:
    """All of it.

    Attributes:
        paragraphs: In words.
        cards: One for all datasets together if there is such an answer, then one each.
        standings: The class of every loss on every dataset; None without an answer.
        warnings: What to know before believing it, by title and name of the dataset; empty ones of the study.
        settling: What would settle the open comparisons, likewise.
        why_none: Why there is no answer; empty if there is one.
    """

    paragraphs: tuple[str, ...]
    cards: tuple[Card, ...]
    standings: ShownTable | None
    warnings: tuple[Sentences, ...]
    settling: tuple[Sentences, ...]
    why_none: str = ""


def study_verdict(results: StudyResults) -> Verdict:
    """Return the verdict of a study, or why it has none."""
    answer = results.answer
    if answer is None:
        return Verdict((), (), None, (), (), results.no_answer)
    open_pairs = [
        (_place(results, each.dataset), tuple(settling(each.primary))) for each in _in_order(results, answer)
    ]
    return Verdict(
        tuple(_paragraphs(verdict(answer))),
        tuple(_cards(results, answer)),
        _standings(results, answer),
        tuple(_by_dataset(results, warnings(answer))),
        tuple((place, sentences) for place, sentences in open_pairs if sentences),
    )


def possibly_best(results: StudyResults) -> frozenset[str]:
    """Return the losses that may be the best on any dataset."""
    if results.answer is None:
        return frozenset()
    comparisons = [each.primary.comparison for each in results.answer.datasets]
    return frozenset(
        loss for each in comparisons if each is not None for loss in each.best.names(each.best.possibly_best)
    )


def _paragraphs(sentences: Sequence[str]) -> Iterator[str]:
    """Yield sentences that belong together as one."""
    held: list[str] = []
    for sentence in sentences:
        if held and not _CONTINUES.match(sentence):
            yield " ".join(held)
            held = []
        held.append(sentence)
    if held:
        yield " ".join(held)


def _in_order(results: StudyResults, answer: StudyAnswer) -> list[DatasetAnswer]:
    """Return the answers in the order of the study's datasets, as tables and figures have them."""
    return sorted(answer.datasets, key=lambda each: results.datasets.index(each.dataset))


def _place(results: StudyResults, dataset: str) -> tuple[str, str]:
    return results.titles[dataset], dataset


def _by_dataset(results: StudyResults, told: Sequence[str]) -> Iterator[Sentences]:
    """Yield warnings by dataset, each without its name, and those of the study last."""
    rest = list(told)
    for dataset in results.datasets:
        start = f"{dataset}: "
        own = [text for text in rest if text.startswith(start)]
        rest = [text for text in rest if text not in own]
        if own:
            yield _place(results, dataset), tuple(text.removeprefix(start) for text in own)
    if rest:
        yield ("", ""), tuple(rest)


def _cards(results: StudyResults, answer: StudyAnswer) -> Iterator[Card]:
    if answer.over_datasets is not None:
        yield _over_card(answer.over_datasets, answer.metric)
    for each in _in_order(results, answer):
        yield _card(results.titles[each.dataset], each.dataset, each.primary)


def _over_card(over: OverDatasets, metric: str) -> Card:
    advice = over.recommendation
    kind, strength = _STRENGTHS[advice.strength]
    count = len(over.several.datasets)
    title = "Both datasets together" if count == 2 else f"All {count} datasets together"
    unit = "margins" if over.several.in_margins else title_of(metric)
    facts = [("May be the best", _members(over.best.names(over.best.possibly_best), over.best.losses))]
    if np.isfinite(advice.regret):
        facts.append(("Expected regret", f"{advice.regret:.2g} {unit}"))
    return Card(title, "", kind, strength, advice.loss or "", advice.why, tuple(facts))


def _card(title: str, name: str, cell: CellAnswer) -> Card:
    advice = cell.recommendation
    kind, strength = _STRENGTHS[advice.strength]
    return Card(title, name, kind, strength, advice.loss or "", advice.why, tuple(_facts(cell)))


def _facts(cell: CellAnswer) -> Iterator[tuple[str, str]]:
    advice, metric = cell.recommendation, title_of(cell.block.metric)
    row = next((each for each in cell.rows if each.loss == advice.loss), None)
    if row is not None and np.isfinite(row.mean):
        yield f"Mean {metric}", _mean(row)
    if np.isfinite(advice.regret):
        yield "Expected regret", f"{advice.regret:.2g}{_unit(cell)}"
    if cell.comparison is not None:
        best = cell.comparison.best
        yield "May be the best", _members(best.names(best.possibly_best), best.losses)
        margin = margin_words(cell.block.scale, cell.asked.margin)
        level = f"{100 * (1 - cell.asked.alpha):.3g} %"
        yield "Margin", f"{margin}{'' if cell.block.scale.log else _unit(cell)}, judged at {level}"
    if advice.tied:
        yield "As good", names([loss for loss in advice.tied if loss != advice.loss])
    yield "Rests on", f"{len(cell.block.patients)} patients, {_seeds(cell)}"


def _unit(cell: CellAnswer) -> str:
    return " of the logarithm" if cell.block.scale.log else f" {title_of(cell.block.metric)}"


def _mean(row: LossRow) -> str:
    low, high = row.interval
    interval = f" (95 % interval {low:.3f} to {high:.3f})" if np.isfinite([low, high]).all() else ""
    return f"{row.mean:.3f}{interval}"


def _seeds(cell: CellAnswer) -> str:
    numbers = {row.seeds for row in cell.rows if row.seeds}
    if not numbers:
        return "no run of use"
    low, high = min(numbers), max(numbers)
    return f"{low} to {high} seeds of use" if low < high else f"{low} seed{'s' if low > 1 else ''}"


def _members(chosen: Sequence[str], of: Sequence[str]) -> str:
    return f"{len(chosen)} of {len(of)}: {names(chosen)}"


def _standings(results: StudyResults, answer: StudyAnswer) -> ShownTable:
    ordered = _in_order(results, answer)
    cells = [{row.loss: row.standing for row in each.primary.rows} for each in ordered]
    told = {word for column in cells for word in column.values()}
    rows = tuple(
        ShownRow((ShownCell(loss.label), *(_standing(column.get(loss.label)) for column in cells)), (place,))
        for place, loss in enumerate(results.losses)
    )
    titles = [each.dataset for each in ordered]
    notes = [f"{word}: {meaning}." for word, meaning in CLASSES.items() if word in told]
    return ShownTable(
        code="",
        name="standings",
        caption=f"Class of every loss by {title_of(answer.metric)}.",
        groups=(),
        columns=(ShownColumn("Loss", "text"), *(ShownColumn(title, "number") for title in titles)),
        rows=rows,
        notes=tuple(notes),
        keep_open=True,
    )


def _standing(word: str | None) -> ShownCell:
    if word is None:
        return ShownCell(NOTHING)
    order = [*CLASSES]
    place = order.index(word) if word in CLASSES else len(order)
    return ShownCell(word, float(place), class_mark(word))
