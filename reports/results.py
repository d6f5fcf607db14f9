"""Everything that tables, figures and the page read, taken from the database once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database
from harness.store.privacy import without_paths
from harness.store.schema import EXTERNAL, FINAL_STATES
from reports.aggregate import patient_values, run_states, run_values

if TYPE_CHECKING:
    from harness.tuning.history import SearchHistory

Part = Literal["validation", "test"]

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
    """

    label: str
    family: str
    expression: str
    tuned_from: str | None = None


@dataclass(frozen=True)
class Progress:
    """How much of the plan is there, in trials."""

    planned: int
    finished: int
    failed: int

    @property
    def complete(self) -> bool:
        """Whether every planned trial is done or diverged."""
        return self.finished >= self.planned


@dataclass(frozen=True)
class StudyResults:
    """A study's results, restricted to what may be shown.

    Attributes:
        document: The study.
        losses: In the order of every table and figure.
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
    """

    document: frames.StudyDocument
    losses: tuple[ListedLoss, ...]
    datasets: tuple[str, ...]
    titles: Mapping[str, str]
    splits: Mapping[str, Mapping[str, Any]]
    progress: Progress
    part: Part
    checkpoint: Literal["best", "last"]
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

    @property
    def folds(self) -> dict[str, int]:
        """Number of folds of every dataset."""
        return {dataset: _folds(split) for dataset, split in self.splits.items()}

    @property
    def torn(self) -> list[str]:
        """Datasets whose split divides cases, not patients."""
        return [dataset for dataset, split in self.splits.items() if split.get("by") == "case"]

    @cached_property
    def runs(self) -> pd.DataFrame:
        """State of every run."""
        return _run_states(self.trials, self.folds)

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
        return _seeds(self.document.resolved, self.trials)

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
    datasets = _dataset_order(trials, document.resolved)
    splits = {name: _split(trials, name) for name in datasets}
    folds = {name: _folds(split) for name, split in splits.items()}
    progress = _progress(own, document.resolved, folds)
    part = _part(document.resolved, progress, peek)
    checkpoint = _checkpoint(document.resolved)
    complete = _run_states(own, folds).query("scored")
    searches = _searches(database, study, trials)
    return StudyResults(
        document=document,
        losses=_loss_order(
            trials, document.resolved, {history.label: history.default for history in searches}
        ),
        datasets=datasets,
        titles=dict(zip(cases["dataset"], cases["title"], strict=True)),
        splits=splits,
        progress=progress,
        part=part,
        checkpoint=checkpoint,
        scores=_shown(frames.scores(database, study), part, checkpoint, complete),
        curves=frames.curves(database, study),
        trials=own,
        cases=cases,
        artifacts=frames.artifacts(database, study),
        metrics=frames.metrics(database),
        looks=frames.looks(database, study),
        prepared=prepared,
        artifact_root=artifacts,
        searches=searches,
    )


def _searches(database: Database, study: str, trials: pd.DataFrame) -> "tuple[SearchHistory, ...]":
    """Read the searches, if the study has any: Optuna takes a second to import."""
    if not (trials["purpose"] == "search").any():
        return ()
    from harness.tuning.history import load_searches

    return tuple(load_searches(database, study))


def _run_states(own: pd.DataFrame, folds: Mapping[str, int]) -> pd.DataFrame:
    """Return the state of every run; predictions made elsewhere are whole, however many folds others have."""
    external = own["family"] == EXTERNAL
    parts = [
        run_states(own[~external], pd.Series(folds)),
        run_states(own[external], pd.Series(dict.fromkeys(folds, 1))),
    ]
    return pd.concat([part for part in parts if len(part)] or parts[:1], ignore_index=True)


def _shown(scores: pd.DataFrame, part: Part, checkpoint: str, complete: pd.DataFrame) -> pd.DataFrame:
    runs = set(zip(complete["dataset"], complete["label"], complete["seed"], strict=True))
    keys = zip(scores["dataset"], scores["label"], scores["seed"], strict=True)
    wanted = pd.Series([key in runs for key in keys], index=scores.index, dtype=bool)
    return scores[wanted & (scores["part"] == part) & (scores["checkpoint"] == checkpoint)].reset_index(
        drop=True
    )


def _part(resolved: Mapping[str, Any], progress: Progress, peek: bool) -> Part:
    if peek:
        return "test"
    asked = "validation" if resolved.get("evaluation") == "validation" else "test"
    return "test" if asked == "test" and progress.complete else "validation"


def _checkpoint(resolved: Mapping[str, Any]) -> Literal["best", "last"]:
    return "last" if resolved.get("protocol", {}).get("checkpoint") == "last" else "best"


def _split(trials: pd.DataFrame, dataset: str) -> Mapping[str, Any]:
    """The split, from the canonical form of any of the dataset's trials that were trained."""
    forms = trials.loc[trials["dataset"] == dataset, "canonical"]
    return next((form["split"] for form in forms if "split" in form), {})


def _folds(split: Mapping[str, Any]) -> int:
    return int(split.get("k", 1)) if split.get("kind") == "kfold" else 1


def _progress(own: pd.DataFrame, resolved: Mapping[str, Any], folds: Mapping[str, int]) -> Progress:
    runs = _seeds(resolved, own) * _arms(resolved)
    unseen = max(0, len(resolved.get("datasets", ())) - len(folds))
    if (resolved.get("only") or {}).get("folds") is not None:
        unseen = 0  # left out, because it has none of these folds
    planned = runs * (sum(_chosen(resolved, "folds", range(k)) for k in folds.values()) + unseen)
    external = int((own["family"] == EXTERNAL).sum())
    return Progress(
        planned=max(planned, len(own) - external) + external,
        finished=int(own["state"].isin(FINAL_STATES).sum()),
        failed=int((own["state"] == "failed").sum()),
    )


def _seeds(resolved: Mapping[str, Any], trials: pd.DataFrame) -> int:
    """Number of seeds asked for; a study in parts (``only``) asks for those of all parts that are here."""
    asked = int(resolved.get("seeds", 1))
    chosen = _chosen(resolved, "seeds", range(asked))
    return asked if chosen == asked else min(asked, max(chosen, trials["seed"].nunique()))


def _arms(resolved: Mapping[str, Any]) -> int:
    """Number of losses, those counted twice that have a tuned arm beside the declared one."""
    entries = resolved.get("losses", ())
    tuned = (resolved.get("tuning") or {}).get("losses") or ()
    second = [
        entry
        for entry in entries
        if entry.get("alpha") != "tune" and (tuned == "all" or entry.get("label") in tuned)
    ]
    return len(entries) + len(second)


def _chosen(resolved: Mapping[str, Any], what: str, known: range) -> int:
    """Number of seeds or folds among ``known`` that the study trains."""
    only = (resolved.get("only") or {}).get(what)
    return len(known) if only is None else len({*only} & {*known})


def _dataset_order(trials: pd.DataFrame, resolved: Mapping[str, Any]) -> tuple[str, ...]:
    declared = [
        entry if isinstance(entry, str) else str(entry.get("dataset", ""))
        for entry in resolved.get("datasets", ())
    ]

    def place(name: str) -> tuple[int, str]:
        plain = name.removesuffix("-sim")
        found = [index for index, entry in enumerate(declared) if entry in {name, plain}]
        return (found[0] if found else len(declared), name)

    return tuple(sorted(set(trials["dataset"]), key=place))


def _loss_order(
    trials: pd.DataFrame, resolved: Mapping[str, Any], defaults: Mapping[str, str | None]
) -> tuple[ListedLoss, ...]:
    """Return the losses by family in the study's order, a tuned arm behind its default.

    Args:
        trials: The study's trials.
        resolved: The study.
        defaults: Label of the default arm by that of the tuned one.
    """
    declared = [entry.get("label") for entry in resolved.get("losses", ())]
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

    return tuple(sorted(found, key=place))
