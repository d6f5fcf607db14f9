"""Merge trials: what is new comes in, a result replaces none, two results are compared.

A pruned trial has its curve instead of a result: it takes the place of a trial that has neither.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import delete, select, update

from harness.store.bulk import in_chunks
from harness.store.exchange.findings import short
from harness.store.exchange.keyed import (
    Ends,
    Ids,
    add_rows,
    content_columns,
    translated,
)
from harness.store.exchange.results import compare_results
from harness.store.ownership import lease_is_over
from harness.store.schema import (
    FINAL_STATES,
    ArtifactRow,
    EpochRow,
    EpochScoreRow,
    ScoreRow,
    TrialRow,
)

CHUNK = 16
"""Trials whose rows are in memory at once; a trial of 60 cases and 40 metrics has 10,000."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Parents:
    """Our ids by theirs of everything that rows of trials refer to."""

    datasets: Ids
    cases: Ids
    splits: Ids
    losses: Ids
    environments: Ids
    runs: Ids
    metrics: Ids

    @property
    def of_trial(self) -> Mapping[str, Ids]:
        """By foreign-key column of ``trial``."""
        return {
            "dataset_id": self.datasets,
            "split_id": self.splits,
            "loss_id": self.losses,
            "environment_id": self.environments,
            "run_id": self.runs,
        }


@dataclass
class _Sorted:
    """Their ids by what happens to the trial; ``known`` also gives our id."""

    new: list[int]
    completed: dict[int, int]
    compared: dict[int, int]
    known: dict[int, int]


def merge_trials(ends: Ends, parents: Parents, progress: Progress) -> dict[int, int]:
    """Bring in their trials with everything that hangs on them.

    Args:
        ends: Both databases.
        parents: What is merged already.
        progress: Called as (trials done, trials in all).

    Returns:
        Our id of a trial by theirs; trials that are left out have none.
    """
    found = _sort(ends, parents)
    total = len(found.new) + len(found.completed) + len(found.compared)
    done = 0
    ids = {**found.known, **found.completed, **found.compared}
    for chunk in in_chunks(found.new, CHUNK):
        added = _add(ends, parents, chunk)
        _copy_rows(ends, parents, added)
        ids |= added
        progress(done := done + len(chunk), total)
    for chunk in in_chunks(found.completed, CHUNK):
        _complete(ends, parents, {theirs: found.completed[theirs] for theirs in chunk})
        progress(done := done + len(chunk), total)
    for chunk in in_chunks(found.compared, CHUNK):
        _compare(ends, parents, {theirs: found.compared[theirs] for theirs in chunk})
        progress(done := done + len(chunk), total)
    ends.findings.trials["added"] += len(found.new)
    ends.findings.trials["completed"] += len(found.completed)
    ends.findings.trials["kept"] += len(found.known)
    return ids


_IDENTITY = ("dataset_id", "loss_id", "seed", "fold", "purpose")


def _sort(ends: Ends, parents: Parents) -> _Sorted:
    """Decide on every trial of theirs by key and states."""
    columns = ("id", "key", "state", "lease_owner", "lease_expires", "split_id", *_IDENTITY)
    question = select(*(getattr(TrialRow, name) for name in columns)).order_by(TrialRow.id)
    ours = {row.key: row for row in ends.ours.execute(question)}
    found = _Sorted([], {}, {}, {})
    now = datetime.now(UTC)
    busy = 0
    needed = {name: ids for name, ids in parents.of_trial.items() if name in columns}
    for each in ends.theirs.execute(question):
        row = translated(dict(zip(columns, each, strict=True)), needed)
        if row is None:
            ends.findings.trials["left out"] += 1
            continue
        here = ours.get(row["key"])
        if here is None:
            found.new.append(row["id"])
        elif any(row[name] != getattr(here, name) for name in _IDENTITY):
            ends.findings.trials["left out"] += 1
            ends.findings.conflict(
                "trial",
                f"trial {short(row['key'])} has another dataset, loss, seed, fold or purpose there; ours "
                "stays, theirs is left out",
            )
        elif row["state"] in FINAL_STATES and here.state in FINAL_STATES:
            found.compared[row["id"]] = here.id
        elif _worth(row["state"]) <= _worth(here.state):
            found.known[row["id"]] = here.id
        elif here.state == "running" and not lease_is_over(here.lease_owner, here.lease_expires, now):
            busy += 1
            found.known[row["id"]] = here.id
        else:
            found.completed[row["id"]] = here.id
    if busy:
        ends.findings.warnings.append(
            f"{busy} trials have a result there and are running here; merge again when the run is over"
        )
    return found


def _worth(state: str) -> int:
    """Return which of two states of a trial is kept: the higher one."""
    return 2 if state in FINAL_STATES else int(state == "pruned")


def _full_rows(ends: Ends, parents: Parents, trials: Iterable[int]) -> dict[int, dict[str, Any]]:
    """Return whole rows of their trials by their id, with our ids of parents; nothing is running."""
    columns = content_columns(TrialRow)
    question = select(TrialRow.id, *columns).where(TrialRow.id.in_(list(trials))).order_by(TrialRow.id)
    rows = {}
    for each in ends.theirs.execute(question):
        row = translated(
            dict(zip((column.name for column in columns), each[1:], strict=True)), parents.of_trial
        )
        if row is not None:
            if row["state"] == "running":  # its driver does not know this database
                row |= {"state": "waiting", "lease_owner": None, "lease_expires": None, "epoch_now": None}
            rows[each[0]] = row
    return rows


def _add(ends: Ends, parents: Parents, trials: Iterable[int]) -> dict[int, int]:
    rows = _full_rows(ends, parents, trials)
    add_rows(ends, TrialRow, list(rows.values()))
    keys = [row["key"] for row in rows.values()]
    question = select(TrialRow.key, TrialRow.id).where(TrialRow.key.in_(keys))
    ours = {row.key: row.id for row in ends.ours.execute(question)}
    return {theirs: ours[row["key"]] for theirs, row in rows.items()}


def _complete(ends: Ends, parents: Parents, trials: Mapping[int, int]) -> None:
    """Put their result in the place of a trial of ours that has none."""
    rows = _full_rows(ends, parents, trials)
    for table in (EpochScoreRow, EpochRow, ScoreRow, ArtifactRow):
        ends.ours.execute(delete(table).where(table.trial_id.in_(list(trials.values()))))
    for theirs, row in rows.items():
        ends.ours.execute(update(TrialRow).where(TrialRow.id == trials[theirs]).values(**row))
    _copy_rows(ends, parents, trials)


def _copy_rows(ends: Ends, parents: Parents, trials: Mapping[int, int]) -> None:
    """Copy epochs, scores and artifacts of trials that have none here; unknown metrics are left out."""
    references = {"trial_id": trials, "case_id": parents.cases, "metric_id": parents.metrics}
    for table in (EpochRow, EpochScoreRow, ScoreRow, ArtifactRow):
        columns = content_columns(table)
        names = [column.name for column in columns]
        mapped = {name: ids for name, ids in references.items() if name in names}
        of_trials = table.__table__.c.trial_id.in_(list(trials))
        question = select(*columns).where(of_trials).order_by(*table.__table__.primary_key)
        rows = (
            translated(dict(zip(names, each, strict=True)), mapped) for each in ends.theirs.execute(question)
        )
        add_rows(ends, table, [row for row in rows if row is not None])


def _compare(ends: Ends, parents: Parents, trials: Mapping[int, int]) -> None:
    """Compare results of both; add what ours lacks where they are the same."""
    same = compare_results(ends, trials, parents.cases, parents.metrics)
    ends.findings.trials["equal"] += len(same)
    ends.findings.trials["in conflict"] += len(trials) - len(same)
    _add_artifacts(ends, {theirs: trials[theirs] for theirs in same})


def _add_artifacts(ends: Ends, trials: Mapping[int, int]) -> None:
    columns = content_columns(ArtifactRow)
    names = [column.name for column in columns]
    kinds = select(ArtifactRow.trial_id, ArtifactRow.kind).where(
        ArtifactRow.trial_id.in_(list(trials.values()))
    )
    here = {(row.trial_id, row.kind) for row in ends.ours.execute(kinds)}
    question = select(*columns).where(ArtifactRow.trial_id.in_(list(trials))).order_by(ArtifactRow.id)
    rows = []
    for each in ends.theirs.execute(question):
        row = dict(zip(names, each, strict=True))
        row["trial_id"] = trials[row["trial_id"]]
        if (row["trial_id"], row["kind"]) not in here:
            rows.append(row)
    add_rows(ends, ArtifactRow, rows)
