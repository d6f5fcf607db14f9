"""What several studies share: losses, a metric, a reference, datasets and trials."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.errors import InputError
from harness.statistics.block import Block, Scores
from harness.statistics.cell import CellAnswer, LossRow
from harness.statistics.scale import Scale
from harness.statistics.study_answer import StudyAnswer
from harness.store.schema import FINAL_STATES
from reports.results import ListedLoss, StudyResults


@dataclass(frozen=True)
class Place:
    """The answer of one study on one dataset, for the metric that is compared."""

    study: str
    dataset: str
    cell: CellAnswer

    @property
    def block(self) -> Block:
        """The scores behind it."""
        return self.cell.block

    def row(self, loss: str) -> LossRow | None:
        """Return what the study says of a loss; None if it says nothing."""
        return next((row for row in self.cell.rows if row.loss == loss), None)

    def scores(self, loss: str) -> Scores | None:
        """Return ``(patients, seeds)`` of the runs that did not collapse; None without any."""
        return scores_of(self.block, loss)

    def score(self, loss: str) -> float:
        """Return the mean score over patients and seeds, higher is better; NaN without runs of use."""
        found = self.scores(loss)
        return float("nan") if found is None else float(found.mean())

    def value(self, loss: str) -> float:
        """Return the same in the unit of the metric: the geometric mean for distances."""
        return float(self.block.scale.raw(self.score(loss)))


@dataclass(frozen=True)
class SideBySide:
    """Several studies and what they share.

    Attributes:
        studies: Their results, in the order given.
        metric: That all of them have scores of: the primary one of the first study if possible.
        losses: With one label in all studies, in the order of the first.
        reference: The loss that others are compared with: of those that all studies declare as one, the
            first that is compared in every place, else the first.
        declared: Whether all studies declare it; else it is the first of ``losses``.
        places: By dataset in the order of first appearance, then in the order of the studies.
    """

    studies: tuple[StudyResults, ...]
    metric: str
    losses: tuple[ListedLoss, ...]
    reference: str
    declared: bool
    places: tuple[Place, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the studies."""
        return tuple(each.document.name for each in self.studies)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the shared losses."""
        return tuple(loss.label for loss in self.losses)

    @property
    def scale(self) -> Scale:
        """Scale of the metric."""
        return self.places[0].block.scale

    @property
    def datasets(self) -> tuple[str, ...]:
        """All datasets, in the order of first appearance."""
        return tuple(dict.fromkeys(place.dataset for place in self.places))

    @property
    def shared_datasets(self) -> tuple[str, ...]:
        """Datasets that two studies or more were tested on."""
        return tuple(name for name in self.datasets if len(self.on(name)) > 1)

    @property
    def unshared_losses(self) -> dict[str, list[str]]:
        """Labels that not every study has, by study."""
        common = set(self.labels)
        lacking = {
            each.document.name: [label for label in each.labels if label not in common]
            for each in self.studies
        }
        return {name: labels for name, labels in lacking.items() if labels}

    @cached_property
    def keys(self) -> dict[tuple[str, str, str], frozenset[str]]:
        """Keys of the trials with a result, by study, dataset and label."""
        found: dict[tuple[str, str, str], frozenset[str]] = {}
        for each in self.studies:
            ended = each.trials[each.trials["state"].isin(FINAL_STATES)]
            for (dataset, label), own in ended.groupby(["dataset", "label"], observed=True):
                found[each.document.name, str(dataset), str(label)] = frozenset(map(str, own["key"]))
        return found

    def on(self, dataset: str) -> list[Place]:
        """Return the places of a dataset, in the order of the studies."""
        return [place for place in self.places if place.dataset == dataset]

    def results(self, study: str) -> StudyResults:
        """Return the results of a study by its name."""
        return self.studies[self.names.index(study)]

    def place_name(self, place: Place) -> str:
        """Return what tells a place from the others: study, dataset or both."""
        one_each = len({each.study for each in self.places}) == len(self.places)
        if len(self.datasets) == 1:
            return place.study
        return f"{place.study}: {place.dataset}" if not one_each or self.shared_datasets else place.dataset

    @property
    def higher(self) -> bool:
        """Whether higher values of the metric are better."""
        metrics = self.studies[0].metrics
        return bool((metrics.loc[metrics["name"] == self.metric, "direction"] == "higher").all())

    def ranking_values(self) -> Scores:
        """Return mean scores as ``(places, losses)``, NaN where a place lacks a loss."""
        return np.array([[place.score(label) for label in self.labels] for place in self.places])


def scores_of(block: Block, loss: str) -> Scores | None:
    """Return the scores of the runs of a loss that did not collapse, also of a single one."""
    runs, raw = block.runs.get(loss), block.raw.get(loss)
    if runs is None or raw is None or not runs.scored:
        return None
    return block.scale.scores(raw[:, : len(runs.scored)])


def put_side_by_side(studies: Sequence[StudyResults]) -> SideBySide:
    """Return studies with what they share.

    Args:
        studies: Two or more, of different names.

    Raises:
        InputError: if one of them has no answer, or they share no loss or no metric, or one shows test
            and another validation patients.
    """
    for each in studies:
        if each.answer is None:
            raise InputError(f"study {each.document.name!r} cannot be compared: {each.no_answer}")
    _check_parts(studies)
    answers = [each.answer for each in studies if each.answer is not None]
    names = [each.document.name for each in studies]
    metric = _shared_metric(answers, names)
    losses = [loss for loss in studies[0].losses if all(loss.label in each.labels for each in studies[1:])]
    if not losses:
        raise InputError(f"studies {_listed(names)} have no loss of the same label, so nothing to compare")
    labels = [loss.label for loss in losses]
    found = [
        Place(name, each.dataset, cell)
        for name, answer in zip(names, answers, strict=True)
        for each in answer.datasets
        for cell in each.cells
        if cell.block.metric == metric
    ]
    order = list(dict.fromkeys(place.dataset for place in found))
    found.sort(key=lambda place: order.index(place.dataset))  # stable: studies keep their order
    reference = _shared_reference(answers, labels, found)
    return SideBySide(
        tuple(studies), metric, tuple(losses), reference or labels[0], reference is not None, tuple(found)
    )


def _check_parts(studies: Sequence[StudyResults]) -> None:
    parts = {each.part: each.document.name for each in reversed(studies)}
    if len(parts) > 1:
        raise InputError(
            f"study {parts['test']!r} shows test patients and study {parts['validation']!r} validation "
            "patients, which cannot be compared; finish the latter, or give --peek for test results so far"
        )


def _shared_reference(
    answers: Sequence[StudyAnswer], labels: Sequence[str], places: Sequence[Place]
) -> str | None:
    """Return the reference that all studies declare and have; of several one that is compared everywhere."""
    declared = [answer.results.plan.references for answer in answers]
    shared = [each for each in declared[0] if each in labels and all(each in others for others in declared)]
    compared = [place.cell.comparison.pairs.losses for place in places if place.cell.comparison is not None]
    everywhere = [each for each in shared if all(each in losses for losses in compared)]
    return next(iter([*everywhere, *shared]), None)


def _shared_metric(answers: Sequence[StudyAnswer], names: Sequence[str]) -> str:
    known = [{cell.block.metric for each in answer.datasets for cell in each.cells} for answer in answers]
    common = set.intersection(*known)
    if not common:
        told = "; ".join(f"{name}: {', '.join(sorted(own))}" for name, own in zip(names, known, strict=True))
        raise InputError(f"studies {_listed(names)} answer for no common metric ({told})")
    return answers[0].metric if answers[0].metric in common else sorted(common)[0]


def _listed(names: Sequence[str]) -> str:
    quoted = [repr(name) for name in names]
    return f"{', '.join(quoted[:-1])} and {quoted[-1]}"
