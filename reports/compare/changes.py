"""Before and after: what became of every loss on a dataset that two studies share."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np

from harness.statistics.block import MIN_PATIENTS, MIN_SEEDS, Scores, seed_variances
from harness.statistics.cell import LossRow
from harness.statistics.crossed import Difference, crossed_difference
from harness.statistics.moderation import MIN_LOSSES, Prior, fit_prior
from harness.statistics.multiplicity import holm
from harness.statistics.versus import words_for
from reports.compare.side_by_side import Place, SideBySide

Basis: TypeAlias = Literal["same patients", "same networks", "same trials", "other patients", "lacking"]
"""How a change was found: paired over patients and seeds; over patients only, with one seed; not at all,
for the trials are the same ones; unpaired means; or not, for one of the studies has no run of use."""


@dataclass(frozen=True)
class Change:
    """One loss on one dataset, in two studies.

    Attributes:
        dataset: Its name.
        loss: Its label.
        before: Name of the earlier study, the first one given.
        after: Name of the other.
        basis: How the change was found.
        means: Means before and after over patients and seeds, in the unit of the metric.
        sds: SDs of the means of runs, before and after.
        standings: What each study says of the loss.
        patients: How many they have in common; of each study where the patients are others.
        runs: Runs of use, before and after.
        shared: How many trials with a result are the same.
        difference: After minus before, of scores: higher is better. None where nothing is paired.
        holm: p adjusted over the losses of this dataset and pair of studies; NaN without an interval.
        words: What the numbers allow to say.
    """

    dataset: str
    loss: str
    before: str
    after: str
    basis: Basis
    means: tuple[float, float]
    sds: tuple[float, float]
    standings: tuple[str, str]
    patients: tuple[int, ...]
    runs: tuple[int, int]
    shared: int
    difference: Difference | None = None
    holm: float = float("nan")
    words: str = "not tested"

    @property
    def verdict_changed(self) -> bool:
        """Whether the studies call the loss different things."""
        return self.standings[0] != self.standings[1]


def changes(beside: SideBySide) -> list[Change]:
    """Return the changes from the first study that has a dataset to each later one, loss by loss."""
    found = []
    for dataset in beside.shared_datasets:
        first, *rest = beside.on(dataset)
        for later in rest:
            pair = _Pair(beside, first, later)
            found += _judged([_change(pair, label) for label in beside.labels], first)
    return found


@dataclass(frozen=True)
class _Pair:
    """Two studies on one dataset."""

    beside: SideBySide
    before: Place
    after: Place

    @cached_property
    def rows(self) -> tuple[list[int], list[int]]:
        """Places of the common patients in both blocks, in one order."""
        return common_patients(self.beside, self.before, self.after)

    @cached_property
    def prior(self) -> Prior | None:
        """Of seed variances, from all losses of both studies on the common patients."""
        every = [(place, loss) for place in (self.before, self.after) for loss in place.block.runs]
        found = [self.scores(place, loss) for place, loss in every]
        several = [each for each in found if each is not None and each.shape[1] >= MIN_SEEDS]
        if len(several) < MIN_LOSSES:
            return None
        return fit_prior(seed_variances(several), np.array([each.shape[1] - 1.0 for each in several]))

    def scores(self, place: Place, loss: str) -> Scores | None:
        """Return scores of the common patients on the scale of the earlier study."""
        if place.scores(loss) is None:
            return None
        raw = place.block.raw[loss][:, : len(place.block.runs[loss].scored)]
        at = self.rows[0] if place is self.before else self.rows[1]
        return self.before.block.scale.scores(raw[at])


def _judged(found: list[Change], place: Place) -> list[Change]:
    """Return the changes with adjusted p and words."""
    tested = [each.difference.p for each in found if each.difference is not None]
    adjusted: Iterator[float] = iter(map(float, holm(np.array(tested))))
    margin, alpha = place.cell.asked.margin, place.cell.asked.alpha
    judged = []
    for each in found:
        if each.difference is None:
            judged.append(each)
            continue
        p, own = next(adjusted), each.difference
        interval = own.difference, own.low, own.high
        words = words_for(p, own.equivalence_p(margin), interval, margin, alpha)
        judged.append(replace(each, holm=p, words=words))
    return judged


def _change(pair: _Pair, loss: str) -> Change:
    places = pair.before, pair.after
    rows = [place.row(loss) for place in places]
    keys = [pair.beside.keys.get((place.study, place.dataset, loss), frozenset[str]()) for place in places]
    change = Change(
        pair.before.dataset,
        loss,
        pair.before.study,
        pair.after.study,
        "lacking",
        (pair.before.value(loss), pair.after.value(loss)),
        (_sd(rows[0]), _sd(rows[1])),
        (_standing(rows[0]), _standing(rows[1])),
        (),
        (_runs(rows[0]), _runs(rows[1])),
        len(keys[0] & keys[1]),
    )
    if not all(change.runs):
        return change
    if keys[0] == keys[1]:
        same = len(pair.before.block.patients)
        return replace(change, basis="same trials", patients=(same,), words="the same trials")
    own, other = pair.scores(pair.before, loss), pair.scores(pair.after, loss)
    if own is None or other is None or len(own) < MIN_PATIENTS:
        others = tuple(len(place.block.patients) for place in places)
        return replace(change, basis="other patients", patients=others)
    difference = crossed_difference(other, own, prior=pair.prior)
    basis: Basis = "same patients" if difference.scope == "these losses" else "same networks"
    return replace(change, basis=basis, patients=(len(own),), difference=difference)


def common_patients(beside: SideBySide, before: Place, after: Place) -> tuple[list[int], list[int]]:
    """Return the places of the patients that both studies were tested on, in one order.

    Patients are the same if their names are, on a dataset of the same name; simulated ones only if the
    fingerprints of the datasets are the same, for another simulation gives its patients the same names.
    """
    if not same_files(beside, before, after) and before.dataset.endswith("-sim"):
        return [], []
    later = {name: at for at, name in enumerate(after.block.patients)}
    both = [(at, later[name]) for at, name in enumerate(before.block.patients) if name in later]
    return [at for at, _ in both], [at for _, at in both]


def same_files(beside: SideBySide, before: Place, after: Place) -> bool:
    """Return whether both studies read the same files prepared in the same way."""
    prints = []
    for place in (before, after):
        cases = beside.results(place.study).cases
        prints.append(set(cases.loc[cases["dataset"] == place.dataset, "fingerprint"]))
    return prints[0] == prints[1]


def _sd(row: LossRow | None) -> float:
    return float("nan") if row is None else row.sd_seeds


def _standing(row: LossRow | None) -> str:
    return "not in the study" if row is None else row.standing


def _runs(row: LossRow | None) -> int:
    return 0 if row is None else row.seeds
