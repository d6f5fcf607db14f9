"""Everything that tables, figures and the page read, taken from the database once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from harness.answering.answer import answer_from_scores
from harness.answering.runs import run_states, whole_runs
from harness.answering.settled import settled_datasets
from harness.answering.shown import (
    Checkpoint,
    Part,
    Progress,
    arm_labels,
    checkpoint_of,
    dataset_order,
    folds_of,
    part_of,
    progress_of,
    seeds_of,
    split_of,
)
from harness.data.case import is_photograph
from harness.errors import InputError
from harness.statistics.block import Unanswerable
from harness.statistics.study_answer import StudyAnswer
from harness.store import frames
from harness.store.database import Database
from harness.store.privacy import without_paths
from harness.store.schema import EXTERNAL, FINAL_STATES
from harness.store.stages import read_stages
from reports.aggregate import patient_values, run_values

if TYPE_CHECKING:
    from harness.tuning.history import SearchHistory

FAMILIES = ("distribution", "region", "boundary", "compound", "lesion")
"""Order of the families in every table and figure; unknown ones follow."""


@dataclass(frozen=True)
class ListedLoss:
    """A loss as the study calls it.

    Attributes:
        label: Its name in tables.
        family: What its parts have in common.
        expression: The loss itself.
        tuned_from: Label of the default arm, if this is the tuned one of two.
        position: Its place in the study's own order.
    """

    label: str
    family: str
    expression: str
    tuned_from: str | None = None
    position: int = 0


@dataclass(frozen=True)
class StudyResults:
    """A study's results, restricted to what may be shown.

    Attributes:
        document: The study.
        losses: In the order of every table and figure: by expected regret where there is an answer, else
            by family in the study's order.
        datasets: Names, in the order of the study.
        titles: Title of every dataset.
        splits: The split of every dataset, in canonical form.
        progress: How much of the plan is there.
        part: The cases that are shown.
        checkpoint: The checkpoint that is shown.
        scores: Scores of that part and checkpoint, of complete runs only.
        curves: Learning curves.
        trials: The study's own trials.
        cases: Cases of the datasets.
        artifacts: Files that trials kept.
        metrics: Title, unit and direction by metric name.
        looks: Looks at test scores.
        prepared: Folder of prepared caches.
        artifact_root: Folder of the artifacts.
        searches: What was tried to tune its losses; empty if nothing was tuned.
        answer: What the statistics say; None if nothing can be said.
        no_answer: Why nothing can be said.
        settled: Datasets on which ``run --until-decided`` has ended: what it trained there is the plan.
    """

    document: frames.StudyDocument
    losses: tuple[ListedLoss, ...]
    datasets: tuple[str, ...]
    titles: Mapping[str, str]
    splits: Mapping[str, Mapping[str, Any]]
    progress: Progress
    part: Part
    checkpoint: Checkpoint
    scores: pd.DataFrame
    curves: pd.DataFrame
    trials: pd.DataFrame
    cases: pd.DataFrame
    artifacts: pd.DataFrame
    metrics: pd.DataFrame
    looks: pd.DataFrame = field(repr=False)
    prepared: Path
    artifact_root: Path
    searches: "tuple[SearchHistory, ...]" = field(default=(), repr=False)
    answer: StudyAnswer | None = field(default=None, repr=False)
    no_answer: str = ""
    settled: frozenset[str] = frozenset()

    @property
    def folds(self) -> dict[str, int]:
        """Number of folds of every dataset."""
        return {dataset: folds_of(split) for dataset, split in self.splits.items()}

    @property
    def torn(self) -> list[str]:
        """Datasets whose split divides cases, not patients."""
        return [dataset for dataset, split in self.splits.items() if split.get("by") == "case"]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """State of every run."""
        return run_states(self.trials, self.folds)

    @cached_property
    def patients(self) -> pd.DataFrame:
        """Value of every patient in every run that is shown."""
        return patient_values(self.scores)

    @cached_property
    def run_values(self) -> pd.DataFrame:
        """Mean over patients of every run that is shown."""
        return run_values(self.patients)

    @property
    def seeds(self) -> int:
        """Number of seeds that the study asks for."""
        return seeds_of(self.document.resolved, self.trials)

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the losses, in order."""
        return tuple(loss.label for loss in self.losses)

    @property
    def external(self) -> list[str]:
        """Labels of the networks whose predictions were made elsewhere."""
        return [loss.label for loss in self.losses if loss.family == EXTERNAL]

    @property
    def trained(self) -> bool:
        """Whether anything was trained for this study."""
        return len(self.external) < len(self.losses)

    @property
    def simulated(self) -> bool:
        """Whether any dataset is simulated."""
        return any(name.endswith("-sim") for name in self.datasets)

    def classes(self, dataset: str) -> list[str]:
        """Return the class names of a dataset, background first."""
        found = self.cases.loc[self.cases["dataset"] == dataset, "classes"]
        return list(found.iloc[0]) if len(found) else []

    def main_metrics(self) -> list[str]:
        """Return the metrics of the main table that the database has."""
        known = set(self.metrics["name"])
        return [name for name in ("dsc", "hd", "hd95") if name in known]


def load_results(database: Database, study: str, prepared: Path, artifacts: Path, peek: bool) -> StudyResults:
    """Read a study.

    Args:
        database: Open results database.
        study: Name of the study.
        prepared: Folder of prepared caches.
        artifacts: Folder of the artifacts.
        peek: Whether test results are shown although the study is unfinished.

    Raises:
        InputError: if there is no such study, or none of its trials is finished.
    """
    document = frames.study_document(database, study)
    trials = frames.trials(database, study)
    trials["reason"] = [without_paths(text) if isinstance(text, str) else None for text in trials["reason"]]
    own = trials[trials["purpose"] == "study"].reset_index(drop=True)
    if not own["state"].isin(FINAL_STATES).any():
        raise InputError(f"study {study!r} has no finished trial yet; run 'lossbench run {study}' first")
    cases = frames.cases(database, study)
    datasets = dataset_order(trials, document.resolved)
    splits = {name: split_of(trials, name) for name in datasets}
    folds = {name: folds_of(split) for name, split in splits.items()}
    settled = settled_datasets(read_stages(database, study), own, document.resolved)
    progress = progress_of(own, document.resolved, folds, settled)
    part = part_of(document.resolved, progress.complete, peek)
    checkpoint = checkpoint_of(document.resolved)
    searches = _searches(database, study, trials)
    scores = whole_runs(
        frames.scores(database, study, part=part, checkpoint=checkpoint), run_states(own, folds)
    )
    answer, no_answer = _answer(database, study, peek, scores)
    losses = _loss_order(trials, document.resolved, {history.label: history.default for history in searches})
    return StudyResults(
        document=document,
        losses=losses if answer is None else by_regret(losses, answer),
        datasets=datasets,
        titles=dict(zip(cases["dataset"], cases["title"], strict=True)),
        splits=splits,
        progress=progress,
        part=part,
        checkpoint=checkpoint,
        scores=scores,
        curves=frames.curves(database, study),
        trials=own,
        cases=cases,
        artifacts=frames.artifacts(database, study),
        metrics=measured(frames.metrics(database), cases),
        looks=frames.looks(database, study),
        prepared=prepared,
        artifact_root=artifacts,
        searches=searches,
        answer=answer,
        no_answer=no_answer,
        settled=settled,
    )


def photographs_among(cases: pd.DataFrame) -> set[str]:
    """Return the datasets whose cases are photographs, all of them."""
    flat = [is_photograph(*sizes) for sizes in zip(cases["shape"], cases["spacing"], strict=True)]
    return set(cases["dataset"]) - set(cases["dataset"][~np.array(flat, bool)])


def measured(metrics: pd.DataFrame, cases: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics, distances in pixels where all cases are photographs: nothing tells their size."""
    if set(cases["dataset"]) - photographs_among(cases):
        return metrics
    return metrics.assign(unit=metrics["unit"].replace("mm", "px"))


def _answer(
    database: Database, study: str, peek: bool, scores: pd.DataFrame
) -> tuple[StudyAnswer | None, str]:
    """Return what the statistics say, or why they say nothing."""
    if scores.empty:
        return None, "no complete run has scores of these patients yet"
    try:
        return answer_from_scores(database, study, scores, peek=peek), ""
    except Unanswerable as error:
        return None, str(error)


def by_regret(losses: Sequence[ListedLoss], answer: StudyAnswer) -> tuple[ListedLoss, ...]:
    """Return losses by the regret that is expected from choosing them, over all datasets where possible.

    Losses without one come last, by their mean where they have it.
    """
    over = answer.over_datasets
    regrets = dict(zip(over.stability.listed, over.stability.regret, strict=True)) if over else {}
    rows = {row.loss: row for row in answer.datasets[0].primary.rows}

    def place(loss: ListedLoss) -> tuple[bool, float, float, int]:
        row = rows.get(loss.label)
        regret = float(regrets.get(loss.label, row.regret if row is not None and not over else np.nan))
        score = answer.datasets[0].primary.block.scale.scores(np.array(row.itt)) if row else np.nan
        unknown = not np.isfinite(regret)
        return unknown, 0.0 if unknown else regret, -float(np.nan_to_num(score, nan=-np.inf)), loss.position

    return tuple(sorted(losses, key=place))


def _searches(database: Database, study: str, trials: pd.DataFrame) -> "tuple[SearchHistory, ...]":
    """Read the searches, if the study has any: Optuna takes a second to import."""
    if not (trials["purpose"] == "search").any():
        return ()
    from harness.tuning.history import load_searches

    return tuple(load_searches(database, study))


def _loss_order(
    trials: pd.DataFrame, resolved: Mapping[str, Any], defaults: Mapping[str, str | None]
) -> tuple[ListedLoss, ...]:
    """Return the losses by family in the study's order, a tuned arm behind its default.

    Args:
        trials: The study's trials.
        resolved: The study.
        defaults: Label of the default arm by that of the tuned one.
    """
    declared = arm_labels(resolved)
    first = trials.drop_duplicates("label")
    found = [
        ListedLoss(str(label), str(family), str(expression), defaults.get(str(label)))
        for label, family, expression in zip(
            first["label"], first["family"], first["expression"], strict=True
        )
    ]

    def place(loss: ListedLoss) -> tuple[int, str, float, str]:
        family = FAMILIES.index(loss.family) if loss.family in FAMILIES else len(FAMILIES)
        position = float(len(declared))
        if loss.label in declared:
            position = declared.index(loss.label)
        elif loss.tuned_from in declared:
            position = declared.index(loss.tuned_from) + 0.5
        return (family, "" if family < len(FAMILIES) else loss.family, position, loss.label)

    ordered = sorted(found, key=place)
    return tuple(replace(loss, position=position) for position, loss in enumerate(ordered))
