"""A board that is filled by the events of a run."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic

from harness.cli.watching.board import Board, Row, RunningTrial
from harness.cli.watching.names import loss_shown, seed_shown
from harness.scheduling.progress import Cell, Progress, cell_of
from harness.scheduling.time_left import TimeLeft
from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord


def place(planned: PlannedTrial) -> str:
    """Return a trial's place in the study as words."""
    fold = fold_of(planned)
    return (
        f"{planned.dataset} / {loss_of(cell_of(planned))} / seed {seed_shown(planned.trial.seed)}"
        f"{'' if fold is None else f' fold {fold}'}"
    )


def fold_of(planned: PlannedTrial) -> int | None:
    """Return the fold of a trial, None where a dataset is divided only once."""
    return planned.trial.fold if planned.trial.split.kind == "kfold" else None


def loss_of(cell: Cell) -> str:
    """Return the label of a cell's loss; trials that tune it are told apart."""
    return loss_shown(cell.label, cell.purpose)


@dataclass(frozen=True)
class _AtWork:
    """A trial on a worker."""

    cell: Cell
    view: RunningTrial


class Tally(Progress):
    """Counts what it hears of; views show what they like of it.

    Events come from the driver's thread, while another thread may draw.

    Args:
        study: Name of the study.
        expected: Seconds of a trial by cell, from earlier runs.
        clock: Seconds from any moment on.
    """

    def __init__(
        self, study: str, expected: Mapping[Cell, float] | None = None, clock: Callable[[], float] = monotonic
    ) -> None:
        self.study = study
        self.total = 0
        self.ended = 0
        self.places = 0
        self.time = TimeLeft(dict((expected or {}).items()), clock)
        self._rows: dict[Cell, Row] = {}
        self._announced: dict[Cell, int] = {}
        self._running: dict[str, _AtWork] = {}
        self._note = ""
        self._lock = threading.RLock()

    def board(self) -> Board:
        """Return the picture of this moment."""
        with self._lock:
            at_work = "1 worker" if self.places == 1 else f"{self.places} workers"
            running = sorted(
                (each.view for each in self._running.values()), key=lambda view: -(view.done or 0)
            )
            rows = [self._row(cell) for cell in self._rows]
            notes = (self._note,) if self._note else ()
            return Board(self.study, rows, running, at_work, self.time.per_hour(), self.time.left(), notes)

    def begin(self, cells: Mapping[Cell, int], workers: int) -> None:
        """Make a row for every cell."""
        with self._lock:
            self.places = workers
            self.time.begin({}, workers)
            self._announce(cells)

    def cells(self, cells: Mapping[Cell, int]) -> None:
        """Make rows for new cells, and count those that wait anew."""
        with self._lock:
            self._announce(cells)

    def workers(self, number: int) -> None:
        """Note how many there are."""
        with self._lock:
            self.places = number
            self.time.workers(number)

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """Count it."""
        with self._lock:
            self._end(cell_of(planned), state)
            self.time.reused(cell_of(planned))

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """Count it as running."""
        epochs = planned.trial.protocol.epochs
        cell = cell_of(planned)
        view = RunningTrial(
            dataset=planned.dataset,
            loss=loss_of(cell),
            seed=planned.trial.seed,
            fold=fold_of(planned),
            done=resumed_at or None,
            epochs=epochs,
            remark=f"went on after epoch {resumed_at}" if resumed_at else "",
        )
        with self._lock:
            self._running[planned.trial.key] = _AtWork(cell, view)
            self.time.started(cell, planned.trial.key, resumed_at / epochs)

    def epoch(self, planned: PlannedTrial, record: EpochRecord) -> None:
        """Note how far it is and how good."""
        done, epochs = record.epoch + 1, planned.trial.protocol.epochs
        with self._lock:
            at_work = self._running.get(planned.trial.key)
            if at_work is None:
                return
            best = max(record.val_dsc, at_work.view.best or 0.0)
            view = replace(at_work.view, done=done, dsc=record.val_dsc, best=best)
            self._running[planned.trial.key] = replace(at_work, view=view)
            self._improve(at_work.cell, record.val_dsc)
            self.time.epoch(planned.trial.key, done / epochs)

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Count it."""
        cell = cell_of(planned)
        with self._lock:
            self._running.pop(planned.trial.key, None)
            self._end(cell, state)
            self._improve(cell, best_val_dsc)
            self.time.finished(cell, planned.trial.key, seconds)

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Count it, unless it is tried again."""
        cell = cell_of(planned)
        with self._lock:
            self._running.pop(planned.trial.key, None)
            if not will_retry:
                self._end(cell, "failed")
            self.time.failed(cell, planned.trial.key, will_retry)

    def stopped(self, planned: PlannedTrial, epoch: int) -> None:
        """Count it as waiting."""
        with self._lock:
            self._running.pop(planned.trial.key, None)
            self.time.stopped(planned.trial.key)

    def note(self, sentence: str) -> None:
        """Keep it until the next one; an empty one takes it away."""
        with self._lock:
            self._note = sentence

    def _row(self, cell: Cell) -> Row:
        """Return a cell's row; what has ended or runs does not wait."""
        running = sum(each.cell == cell for each in self._running.values())
        row = self._rows[cell]
        waiting = self._announced.get(cell, 0) - row.trials - running
        return replace(row, waiting=max(0, waiting), running=running)

    def _announce(self, cells: Mapping[Cell, int]) -> None:
        for cell, number in cells.items():
            self._rows.setdefault(cell, Row(cell.dataset, loss_of(cell)))
            self.time.more(cell, number - self._announced.get(cell, 0))
        self._announced = dict(cells)
        self.total = max(sum(cells.values()), self.ended)

    def _end(self, cell: Cell, state: str) -> None:
        row = self._rows.get(cell, Row(cell.dataset, loss_of(cell)))
        column = state if state in {"diverged", "pruned", "failed"} else "done"
        self._rows[cell] = replace(row, **{column: getattr(row, column) + 1})
        self.ended += 1
        self.total = max(self.total, self.ended)

    def _improve(self, cell: Cell, dsc: float | None) -> None:
        row = self._rows.get(cell)
        if row is not None and dsc is not None and dsc > (row.best or 0.0):
            self._rows[cell] = replace(row, best=dsc)
