"""Boards that are filled from the database."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from harness.cli.watching.board import Board, Row, RunningTrial
from harness.cli.watching.names import loss_shown, seed_shown
from harness.scheduling.time_left import HOUR, Durations, Range, Underway, Workload, time_left
from harness.store.watching import RECENT, Snapshot, StoredCell, StoredRunning

CellKey: TypeAlias = tuple[str, str, str]
"""Dataset, loss and purpose, as in :class:`harness.scheduling.progress.Cell`, which imports torch."""

_LISTED_FAILURES = 3


def boards(found: Snapshot, list_failures: bool = False) -> list[Board]:
    """Return one board per study.

    Args:
        found: What the database knows.
        list_failures: Whether the boards name the first failures, for there is no list of them beside.
    """
    studies = dict.fromkeys(cell.study for cell in found.cells)
    return [_board(found, study, list_failures) for study in studies]


def drivers(running: Sequence[StoredRunning]) -> int:
    """Return how many drivers hold a lease that is not over."""
    return len({trial.owner for trial in running if not trial.stale})


def trials_per_hour(found: Snapshot, study: str) -> float | None:
    """Return the trials of the last hour, over the time since the first of them began."""
    ended = found.ended.get(study, [])
    if not ended:
        return None
    first = min(finished - timedelta(seconds=seconds) for finished, seconds in ended)
    span = (found.at - max(first, found.at - RECENT)).total_seconds()
    return len(ended) * HOUR / max(span, 1.0)


def seconds_left(cells: Sequence[StoredCell], running: Sequence[StoredRunning]) -> Range | None:
    """Return the time left if as many trials run at a time as do now.

    Trials that ended since the study was last started are measured, older ones tell what to expect.
    """
    alive = [trial for trial in running if not trial.stale]
    waiting: dict[CellKey, int] = {}
    measured: dict[CellKey, Durations] = {}
    earlier: dict[CellKey, Durations] = {}
    for cell in cells:
        key = (cell.dataset, cell.loss, cell.purpose)
        if cell.state == "waiting":
            waiting[key] = waiting.get(key, 0) + cell.trials
        if cell.timed:
            times = measured if cell.this_run else earlier
            times[key] = times.get(key, Durations()).and_those(
                Durations(cell.timed, cell.seconds, cell.squares)
            )
    for trial in running:
        if trial.stale:
            key = (trial.dataset, trial.loss, trial.purpose)
            waiting[key] = waiting.get(key, 0) + 1
    return time_left(
        Workload(
            waiting=dict(waiting.items()),
            running=[_underway(trial) for trial in alive],
            workers=len({trial.key for trial in alive}),
            measured=dict(measured.items()),
            expected={key: one.mean for key, one in earlier.items()},
        )
    )


def _underway(trial: StoredRunning) -> Underway:
    share = min(1.0, trial.noted / trial.epochs) if trial.epochs else 0.0
    return Underway((trial.dataset, trial.loss, trial.purpose), trial.seconds, share)


def _board(found: Snapshot, study: str, list_failures: bool) -> Board:
    cells = [cell for cell in found.cells if cell.study == study]
    running = [trial for trial in found.running if trial.study == study]
    working = drivers(running)
    alive = sum(not trial.stale for trial in running)
    at_work = (
        f"{working} driver{'s' if working != 1 else ''} with {alive} running"
        if working
        else "no driver at work"
    )
    shown = [_running(trial) for trial in running]
    return Board(
        study=study,
        rows=_rows(cells, running),
        running=sorted(shown, key=lambda trial: -(trial.done or 0)),
        at_work=at_work,
        per_hour=trials_per_hour(found, study) if working else None,
        left=seconds_left(cells, running),
        notes=[*_stale_note(running), *(_failures(found, study) if list_failures else ())],
    )


def _rows(cells: Sequence[StoredCell], running: Sequence[StoredRunning]) -> list[Row]:
    rows: dict[CellKey, Row] = {}
    for cell in cells:
        key = (cell.dataset, cell.loss, cell.purpose)
        row = rows.get(key, Row(cell.dataset, _loss(cell)))
        more = {
            cell.state: getattr(row, cell.state) + cell.trials,
            "best": _better(row.best, cell.best_val_dsc),
        }
        rows[key] = replace(row, **more)
    for trial in running:
        key = (trial.dataset, trial.loss, trial.purpose)
        if key in rows:
            rows[key] = replace(rows[key], best=_better(rows[key].best, trial.best_val_dsc))
    return list(rows.values())


def _better(one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return max(known, default=None)


def _running(trial: StoredRunning) -> RunningTrial:
    return RunningTrial(
        dataset=trial.dataset,
        loss=_loss(trial),
        seed=trial.seed,
        fold=trial.fold,
        done=trial.done,
        epochs=trial.epochs,
        dsc=trial.val_dsc,
        best=trial.best_val_dsc,
        remark="stale: its driver is gone" if trial.stale else "",
    )


def _loss(place: StoredCell | StoredRunning) -> str:
    return loss_shown(place.loss, place.purpose)


def _stale_note(running: Sequence[StoredRunning]) -> Iterator[str]:
    stale = sum(trial.stale for trial in running)
    if stale:
        trials = "1 running trial is" if stale == 1 else f"{stale} running trials are"
        yield f"{trials} stale: the driver is gone, the next 'lossbench run' goes on with what it left"


def _failures(found: Snapshot, study: str) -> Iterator[str]:
    failed = [row for row in found.failures if row["study"] == study and row["state"] == "failed"]
    for row in failed[:_LISTED_FAILURES]:
        yield f"failed: {row['dataset']} / {row['loss']} / seed {seed_shown(row['seed'])}: {row['reason']}"
    if len(failed) > _LISTED_FAILURES:
        yield f"{len(failed) - _LISTED_FAILURES} more failed; 'lossbench status' lists them"
