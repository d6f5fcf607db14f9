"""Which scores finished trials lack, and adding them: what is there is neither changed nor deleted."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select

from harness.errors import InputError
from harness.store.bulk import insert_rows
from harness.store.database import Database
from harness.store.keys import SHOWN
from harness.store.long_tables import of_study
from harness.store.rows import insert_row
from harness.store.schema import (
    EXTERNAL,
    ArtifactRow,
    CaseRow,
    DatasetRow,
    EpochRow,
    LossRow,
    MetricRow,
    PatientRow,
    ScoreRow,
    StudyTrialRow,
    TrialRow,
)


@dataclass(frozen=True)
class KeptFile:
    """A file of a trial: its path below the artifact folder, and its sha256 when it was written."""

    path: str
    sha256: str


@dataclass(frozen=True)
class Gap:
    """What a trial lacks of one part at the checkpoint that it reports.

    Attributes:
        part: ``test`` or ``validation``.
        metrics: Names of the metrics, by checkpoint: the reported one, and the other one where its weights
            are the same.
        cases: Names of the part's cases.
        known: Stored values at the reported checkpoint, by case and class, of the metric that checks masks;
            empty where there are none.
    """

    part: str
    metrics: Mapping[str, tuple[str, ...]]
    cases: tuple[str, ...]
    known: Mapping[tuple[str, int], float]

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of all metrics that are missing at either checkpoint."""
        return tuple(dict.fromkeys(name for names in self.metrics.values() for name in names))


@dataclass(frozen=True)
class IncompleteTrial:
    """A finished trial that lacks scores.

    Attributes:
        key: Of the trial.
        finished: When; another time later means another result.
        dataset: Name of its dataset in the study.
        fingerprint: Of that dataset.
        label: Its loss.
        seed: Its seed index.
        fold: Its fold.
        external: Whether it was trained elsewhere and its predictions were scored only.
        gaps: What it lacks at the checkpoint that it reports.
        other: Metrics that it lacks at the other checkpoint, whose weights are not kept.
        files: What it kept, by kind.
    """

    key: str
    finished: datetime
    dataset: str
    fingerprint: str
    label: str
    seed: int
    fold: int
    external: bool
    gaps: tuple[Gap, ...]
    other: tuple[str, ...]
    files: Mapping[str, KeptFile]

    def __str__(self) -> str:
        """Return how sentences call it."""
        fold = f", fold {self.fold}" if self.fold else ""
        return f"trial {self.key[:SHOWN]!r} ({self.label} on {self.dataset}, seed {self.seed}{fold})"


@dataclass(frozen=True)
class Missing:
    """What a study lacks.

    Attributes:
        trials: Its finished trials that lack scores.
        finished: Number of its finished trials that have scores.
    """

    trials: tuple[IncompleteTrial, ...]
    finished: int


_Places = dict[tuple[str, str], set[int]]
"""Ids of the metrics that a trial has scores of, by part and checkpoint."""


@dataclass(frozen=True)
class _Asked:
    """Metrics that are asked for: all names, names by id of those that the database has, and the check."""

    metrics: Sequence[str]
    ids: Mapping[int, str]
    checked_by: tuple[str, int]


def newer_metrics(database: Database, metrics: Mapping[str, int]) -> dict[str, int]:
    """Return the newest version of every metric that the database has in a newer one than given, by name."""
    newest = select(MetricRow.name, func.max(MetricRow.version).label("version")).group_by(MetricRow.name)
    with database.read() as connection:
        known = {row.name: row.version for row in connection.execute(newest)}
    return {name: known[name] for name, version in metrics.items() if known.get(name, 0) > version}


def missing_scores(
    database: Database, study: str, metrics: Mapping[str, int], checked_by: tuple[str, int]
) -> Missing:
    """Find what the finished trials of a study lack; those of its searches are left out, as in reports.

    Args:
        database: Results.
        study: Name of a study that is there.
        metrics: Version of every metric that is asked for, by name.
        checked_by: Name and version of the metric whose stored values are wanted beside the gaps.
    """
    with database.read() as connection:
        rows = _finished_trials(connection, study)
        there = _places(connection, [row.id for row in rows])
        ids = {
            row.id: row.name
            for row in connection.execute(select(MetricRow.id, MetricRow.name, MetricRow.version))
            if metrics.get(row.name) == row.version
        }
        asked = _Asked(tuple(metrics), ids, checked_by)
        found = [_incomplete(connection, row, there.get(row.id, {}), asked) for row in rows]
    return Missing(tuple(trial for trial in found if trial is not None), len(there))


def add_scores(
    database: Database,
    trial: IncompleteTrial,
    metrics: Collection[Mapping[str, Any]],
    scores: Sequence[Mapping[str, Any]],
) -> int:
    """Add scores to a finished trial in one transaction; those of metrics that it has by now stay.

    Args:
        database: Results.
        trial: From :func:`missing_scores`.
        metrics: Rows of ``metric``; those that are not there yet are added.
        scores: Rows of ``score``, with ``case`` and ``metric`` as names.

    Returns:
        Number of scores that were added.

    Raises:
        InputError: if the trial was deleted or trained anew meanwhile, or the database has another metric
            under a name and version.
    """
    with database.write() as connection:
        columns = (TrialRow.id, TrialRow.dataset_id, TrialRow.state, TrialRow.finished)
        row = connection.execute(select(*columns).where(TrialRow.key == trial.key)).one_or_none()
        if row is None or (row.state, row.finished) != ("done", trial.finished):
            now = "gone" if row is None else row.state if row.state != "done" else "trained anew"
            raise InputError(f"{trial} has changed meanwhile and is {now}; evaluate the study again")
        ids = {metric["name"]: _metric_id(connection, metric) for metric in metrics}
        there = _places(connection, [row.id]).get(row.id, {})
        cases = _case_ids(connection, row.dataset_id)
        new = [
            {
                "trial_id": row.id,
                "case_id": cases[score["case"]],
                "metric_id": ids[score["metric"]],
                **{name: score[name] for name in score if name not in {"case", "metric"}},
            }
            for score in scores
            if ids[score["metric"]] not in there.get((score["part"], score["checkpoint"]), ())
        ]
        insert_rows(connection, ScoreRow, new)
    return len(new)


def _finished_trials(connection: Connection, study: str) -> list[Any]:
    """Return the done trials of a study, each once."""
    question = of_study(
        study,
        TrialRow.id,
        TrialRow.key,
        TrialRow.finished,
        TrialRow.seed,
        TrialRow.fold,
        TrialRow.best_epoch,
        TrialRow.canonical,
        StudyTrialRow.dataset,
        StudyTrialRow.label,
        LossRow.family,
        DatasetRow.fingerprint,
        TrialRow.dataset_id,
    ).where(TrialRow.purpose == "study", TrialRow.state == "done")
    order = (StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed, TrialRow.fold)
    by_id = {row.id: row for row in reversed(connection.execute(question.order_by(*order)).all())}
    return list(reversed(by_id.values()))


def _places(connection: Connection, trials: Sequence[int]) -> dict[int, _Places]:
    """Return what trials have scores of, by id; those without any are left out."""
    columns = (ScoreRow.trial_id, ScoreRow.part, ScoreRow.checkpoint, ScoreRow.metric_id)
    found: dict[int, _Places] = {}
    for trial in trials:
        for row in connection.execute(select(*columns).where(ScoreRow.trial_id == trial).distinct()):
            places = found.setdefault(row.trial_id, {})
            places.setdefault((row.part, row.checkpoint), set()).add(row.metric_id)
    return found


def _incomplete(connection: Connection, row: Any, there: _Places, asked: _Asked) -> IncompleteTrial | None:
    """Return what a trial lacks, None if it lacks nothing.

    Args:
        connection: For reading.
        row: Of :func:`_finished_trials`.
        there: What it has.
        asked: The metrics.
    """
    lacking = {
        place: tuple(name for name in asked.metrics if name not in {asked.ids.get(each) for each in have})
        for place, have in there.items()
    }
    if not any(lacking.values()):
        return None
    reported = "last" if (row.canonical.get("protocol") or {}).get("checkpoint") == "last" else "best"
    last_epoch = connection.scalar(select(func.max(EpochRow.epoch)).where(EpochRow.trial_id == row.id))
    same = {reported, *(("best", "last") if last_epoch is not None and row.best_epoch == last_epoch else ())}
    gaps: dict[str, dict[str, tuple[str, ...]]] = {}
    other: list[str] = []
    for (part, checkpoint), names in sorted(lacking.items()):
        if names and checkpoint in same:
            gaps.setdefault(part, {})[checkpoint] = names
        elif names:
            other += names
    return IncompleteTrial(
        key=row.key,
        finished=row.finished,
        dataset=row.dataset,
        fingerprint=row.fingerprint,
        label=row.label,
        seed=row.seed,
        fold=row.fold,
        external=row.family == EXTERNAL,
        gaps=tuple(
            Gap(part, found, *_cases(connection, row.id, part, reported, asked.checked_by))
            for part, found in gaps.items()
        ),
        other=tuple(dict.fromkeys(other)),
        files=_files(connection, row.id),
    )


def _cases(
    connection: Connection, trial: int, part: str, reported: str, checked_by: tuple[str, int]
) -> tuple[tuple[str, ...], dict[tuple[str, int], float]]:
    """Return the cases of one part of a trial, and their known values."""
    cases = (
        select(CaseRow.name)
        .join(ScoreRow, ScoreRow.case_id == CaseRow.id)
        .where(ScoreRow.trial_id == trial, ScoreRow.part == part)
        .distinct()
        .order_by(CaseRow.name)
    )
    values = (
        select(CaseRow.name, ScoreRow.class_index, ScoreRow.imputed)
        .join(ScoreRow, ScoreRow.case_id == CaseRow.id)
        .join(MetricRow, MetricRow.id == ScoreRow.metric_id)
        .where(ScoreRow.trial_id == trial, ScoreRow.part == part, ScoreRow.checkpoint == reported)
        .where(MetricRow.name == checked_by[0], MetricRow.version == checked_by[1])
    )
    known = {(row.name, row.class_index): row.imputed for row in connection.execute(values)}
    return tuple(connection.scalars(cases)), known


def _files(connection: Connection, trial: int) -> dict[str, KeptFile]:
    kept = select(ArtifactRow.kind, ArtifactRow.path, ArtifactRow.sha256).where(ArtifactRow.trial_id == trial)
    return {row.kind: KeptFile(row.path, row.sha256) for row in connection.execute(kept)}


def _metric_id(connection: Connection, metric: Mapping[str, Any]) -> int:
    """Return the id of a metric, which is added if it is not there."""
    same = (MetricRow.name == metric["name"], MetricRow.version == metric["version"])
    known = connection.execute(
        select(MetricRow.id, MetricRow.unit, MetricRow.direction).where(*same)
    ).one_or_none()
    if known is None:
        return insert_row(connection, MetricRow, **metric)
    if (known.unit, known.direction) != (metric["unit"], metric["direction"]):
        raise InputError(
            f"metric {metric['name']!r} version {metric['version']} has another unit or direction in the "
            "database; rename the metric or raise its version"
        )
    return int(known.id)


def _case_ids(connection: Connection, dataset: int) -> dict[str, int]:
    question = select(CaseRow.name, CaseRow.id).join(PatientRow).where(PatientRow.dataset_id == dataset)
    return {row.name: row.id for row in connection.execute(question)}
