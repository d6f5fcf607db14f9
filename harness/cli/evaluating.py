"""Compute the scores that the finished trials of a study lack, from what they have kept."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from harness.cli.home import Home
from harness.cli.kept_parts import ROUNDING, PartWork, score_parts
from harness.cli.scoring import worthwhile
from harness.data.parallel import run_each
from harness.data.prepared import PreparedDataset, find_prepared
from harness.errors import InputError
from harness.metrics import METRICS, Metric, find_metric
from harness.store.database import Database, open_database
from harness.store.keys import SHOWN
from harness.store.missing_scores import (
    Gap,
    IncompleteTrial,
    Missing,
    add_scores,
    missing_scores,
    newer_metrics,
)
from harness.store.models import MODEL
from harness.store.summaries import require_study
from harness.training.kept import ScoredAnew
from harness.training.prediction import choose_device

Progress = Callable[[int, int], None]
"""``(trials done, trials in all)``."""

PREDICTIONS = "predictions"
"""Kind of artifact: masks of the test cases."""

CHECKED_BY = "dsc"
"""The metric that tells whether masks are those that were scored before."""

_KIND_OF_PART = {"test": PREDICTIONS, "validation": MODEL}


@dataclass(frozen=True)
class EvaluateRequest:
    """What to evaluate, and how.

    Attributes:
        study: Name of the study.
        metrics: Names or import paths; None: all that are registered.
        device: auto, cpu or cuda, for networks.
        workers: Trials at a time, in processes; None: as many as the data are worth.
        dry_run: Whether only to say what is missing.
    """

    study: str
    metrics: tuple[str, ...] | None = None
    device: str = "auto"
    workers: int | None = None
    dry_run: bool = False


@dataclass(frozen=True)
class EvaluatedTrial:
    """What became of one trial.

    Attributes:
        trial: Beginning of its key.
        dataset: Name of its dataset.
        loss: Its label.
        seed: Its seed index.
        fold: Its fold.
        metrics: Metrics that it lacked, by part.
        added: Scores that were added.
        problems: Why a part could not be scored, in sentences.
    """

    trial: str
    dataset: str
    loss: str
    seed: int
    fold: int
    metrics: Mapping[str, tuple[str, ...]]
    added: int = 0
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Evaluated:
    """What became of a study.

    Attributes:
        metrics: Version of every metric that was asked for, by name.
        finished: Number of finished trials that have scores.
        trials: Those that lacked some.
        notes: What else there is to know, in sentences.
    """

    metrics: Mapping[str, int]
    finished: int
    trials: tuple[EvaluatedTrial, ...]
    notes: tuple[str, ...] = ()

    @property
    def added(self) -> int:
        """Scores that were added."""
        return sum(trial.added for trial in self.trials)

    @property
    def problems(self) -> tuple[str, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(problem for trial in self.trials for problem in trial.problems))


def evaluate_study(
    request: EvaluateRequest, home: Home, progress: Progress = lambda done, total: None
) -> Evaluated:
    """Score what is missing and write it, one transaction a trial; where one fails the others go on.

    Raises:
        InputError: if study or metrics are unknown; nothing is scored then.
    """
    metrics = _chosen(request.metrics)
    device = choose_device(request.device).type
    database = open_database(home.database_url)
    try:
        require_study(database, request.study)
        notes = _leave_newer(database, metrics, named=request.metrics is not None)
        versions = {metric.name: metric.version for metric in metrics.values()}
        check = (CHECKED_BY, METRICS[CHECKED_BY].version)
        missing = missing_scores(database, request.study, versions, check)
        trials = [trial for trial in missing.trials if trial.gaps]
        notes += _notes(missing, request.study)
        found = _Evaluation(database, home, request, metrics, device)
        results = [found.plain(trial) for trial in trials] if request.dry_run else found.run(trials, progress)
        return Evaluated(versions, missing.finished, tuple(results), (*notes, *found.notes))
    finally:
        database.close()


class _Evaluation:
    """Scores trials and writes what comes of it.

    Args:
        database: Results.
        home: Where caches and artifacts are.
        request: What is asked for.
        metrics: By what the user called them.
        device: ``cpu`` or ``cuda``.
    """

    def __init__(
        self,
        database: Database,
        home: Home,
        request: EvaluateRequest,
        metrics: Mapping[str, Metric],
        device: str,
    ) -> None:
        self._database = database
        self._home = home
        self._request = request
        self._given = {metric.name: given for given, metric in metrics.items()}
        self._facts = {metric.name: metric.facts() for metric in metrics.values()}
        self._device = device
        self._caches: dict[str, PreparedDataset | None] = {}
        self._drifts: list[float] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What there is to know of the scores that were added."""
        if not self._drifts:
            return ()
        return (
            f"the validation masks of {_count(len(self._drifts), 'trial')}, predicted anew, are not the same "
            f"to the bit on this machine: the DSC of a case differs by up to {max(self._drifts):.2g}",
        )

    def plain(self, trial: IncompleteTrial) -> EvaluatedTrial:
        """Return what a trial lacks, nothing done."""
        return self._result(trial, 0, [problem for _, problem in self._works(trial) if problem])

    def run(self, trials: Sequence[IncompleteTrial], progress: Progress) -> list[EvaluatedTrial]:
        """Score trials, write each as it is done, and return what became of them in order."""
        progress(0, len(trials))
        works = [self._works(trial) for trial in trials]
        jobs: dict[int, tuple[Any, ...]] = {
            number: ([work for work, _ in each if work is not None],) for number, each in enumerate(works)
        }
        found: dict[int, EvaluatedTrial] = {}
        for number, scored in run_each(score_parts, jobs, self._workers(trials)):
            before = [problem for _, problem in works[number] if problem]
            found[number] = self._write(trials[number], scored, before)
            progress(len(found), len(trials))
        return [found[number] for number in sorted(found)]

    def _works(self, trial: IncompleteTrial) -> list[tuple[PartWork | None, str]]:
        """Return the work on every part of a trial, or why there is none."""
        return [self._work(trial, gap) for gap in trial.gaps]

    def _work(self, trial: IncompleteTrial, gap: Gap) -> tuple[PartWork | None, str]:
        if trial.external:
            return None, (
                f"{trial.label!r} on {trial.dataset}: its predictions were scored from files; call lossbench "
                "score with the same options again, which adds every registered metric"
            )
        kept = trial.files.get(_KIND_OF_PART[gap.part])
        if kept is None:
            return None, _never_kept(trial, gap.part)
        prepared = self._prepared(trial.fingerprint)
        if prepared is None:
            return None, (
                f"dataset {trial.dataset!r} ({trial.fingerprint[:SHOWN]}) has no cache in this --home; "
                f"run study {self._request.study!r} again, which prepares it and trains nothing that is done"
            )
        return PartWork(
            name=str(trial),
            part=gap.part,
            file=self._home.artifacts / kept.path,
            sha256=kept.sha256,
            prepared=prepared.folder,
            cases=gap.cases,
            metrics=tuple(self._given[name] for name in gap.wanted),
            known=gap.known,
            device=self._device,
        ), ""

    def _prepared(self, fingerprint: str) -> PreparedDataset | None:
        if fingerprint not in self._caches:
            self._caches[fingerprint] = find_prepared(self._home.prepared, fingerprint)
        return self._caches[fingerprint]

    def _workers(self, trials: Sequence[IncompleteTrial]) -> int:
        voxels = 0
        for trial in trials:
            prepared = self._prepared(trial.fingerprint)
            names = {case for gap in trial.gaps for case in gap.cases}
            if prepared is not None:
                voxels += sum(sum(case.voxels) for case in prepared.cases if case.case in names)
        return self._request.workers or worthwhile(voxels)

    def _write(
        self, trial: IncompleteTrial, scored: Sequence[tuple[str, ScoredAnew | str]], problems: list[str]
    ) -> EvaluatedTrial:
        rows: list[dict[str, Any]] = []
        gaps = {gap.part: gap for gap in trial.gaps}
        for part, found in scored:
            if isinstance(found, str):
                problems.append(found)
                continue
            rows += _rows(gaps[part], found)
            if found.drift > ROUNDING:
                self._drifts.append(found.drift)
        added = 0
        if rows:
            named = {row["metric"] for row in rows}
            facts = [self._facts[name] for name in sorted(named)]
            try:
                added = add_scores(self._database, trial, facts, rows)
            except InputError as error:
                problems.append(str(error))
        return self._result(trial, added, problems)

    def _result(self, trial: IncompleteTrial, added: int, problems: Iterable[str]) -> EvaluatedTrial:
        return EvaluatedTrial(
            trial=trial.key[:SHOWN],
            dataset=trial.dataset,
            loss=trial.label,
            seed=trial.seed,
            fold=trial.fold,
            metrics={gap.part: gap.wanted for gap in trial.gaps},
            added=added,
            problems=tuple(problems),
        )


def _chosen(given: Sequence[str] | None) -> dict[str, Metric]:
    """Return the metrics that are asked for, by what the user calls them."""
    return {name: find_metric(name) for name in (METRICS if given is None else given)}


def _leave_newer(database: Database, metrics: dict[str, Metric], named: bool) -> list[str]:
    """Take out metrics of which the database has a newer version, and say so.

    Raises:
        InputError: if the user named one.
    """
    newer = newer_metrics(database, {metric.name: metric.version for metric in metrics.values()})
    sentences = [
        f"metric {name!r} has version {version} in the database and {METRICS[name].version} in this program; "
        "install a newer lossbench"
        for name, version in newer.items()
    ]
    if named and sentences:
        raise InputError(sentences[0])
    for given in [given for given, metric in metrics.items() if metric.name in newer]:
        del metrics[given]
    return sentences


def _notes(missing: Missing, study: str) -> list[str]:
    other = [trial for trial in missing.trials if trial.other]
    if not other:
        return []
    names = ", ".join(dict.fromkeys(name for trial in other for name in trial.other))
    return [
        f"{_count(len(other), 'trial')} of study {study!r} cannot get {names} at the checkpoint that is not "
        "reported: its weights are not kept, so tables that compare checkpoints lack them"
    ]


def _never_kept(trial: IncompleteTrial, part: str) -> str:
    if part == "test":
        return f"{trial} has kept no masks of its test cases; only training it anew can score them"
    return (
        f"{trial} has kept no network, so its validation cases cannot be scored; only training it anew "
        "without --no-keep-models can"
    )


def _rows(gap: Gap, found: ScoredAnew) -> list[dict[str, Any]]:
    """Return rows of ``score``: once for every checkpoint that has these weights."""
    return [
        {"case": case, "part": gap.part, "checkpoint": checkpoint, **asdict(score)}
        for checkpoint, names in gap.metrics.items()
        for case, score in found.scores
        if score.metric in names
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"
