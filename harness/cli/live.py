"""Live progress on stderr: one table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.live import Live
from rich.table import Table
from rich.text import Text

from harness.cli.output import stderr, visible
from harness.scheduling.progress import Progress
from harness.study.plan import PlannedTrial
from harness.training.job import EpochRecord


@contextmanager
def progress_view(study: str) -> Iterator[Progress]:
    """Give the view that fits where stderr goes."""
    if not stderr.is_terminal:
        yield PlainView()
        return
    view = LiveView(study)
    with Live(view, console=stderr, refresh_per_second=4):
        yield view


def place(planned: PlannedTrial) -> str:
    """Return a trial's place in the study as words."""
    search = " (tuning)" if planned.trial.purpose == "search" else ""
    fold = f" fold {planned.trial.fold}" if planned.trial.split.kind == "kfold" else ""
    return f"{planned.dataset} / {planned.label}{search} / seed {planned.trial.seed}{fold}"


@dataclass
class _Clock:
    """Measured trials, for the time that is left."""

    began: float = field(default_factory=time.monotonic)
    expected: int = 0
    reused: int = 0
    trained: int = 0
    failed: int = 0

    @property
    def seen(self) -> int:
        return self.reused + self.trained + self.failed

    def remaining(self) -> str:
        """Return the time left as a range, once three trials have been trained."""
        if self.trained < 3:
            return "time left: not known before three trials"
        rate = (time.monotonic() - self.began) / self.trained
        left = max(0, self.expected - self.seen) * rate
        return f"time left: {_duration(0.8 * left)} to {_duration(1.3 * left)}"

    def speed(self) -> str:
        hours = (time.monotonic() - self.began) / 3600
        return f"{self.trained / hours:.0f} trials/h" if self.trained else "- trials/h"


class PlainView(Progress):
    """One line per event, for logs."""

    def __init__(self) -> None:
        self._clock = _Clock()

    def begin(self, expected: int) -> None:
        """Say how many trials there are."""
        self._clock.expected = expected
        _line(f"{expected} trials")

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """Count it; a line for each would hide what is new."""
        self._clock.reused += 1

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """Say so only if it goes on in the middle."""
        if resumed_at:
            _line(f"goes on at epoch {resumed_at}: {place(planned)}")

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Say how it went."""
        self._clock.trained += 1
        dsc = "-" if best_val_dsc is None else f"{best_val_dsc:.3f}"
        count = f"[{self._clock.seen}/{self._clock.expected}] {state}: {place(planned)}"
        _line(f"{count}: validation DSC {dsc}, {seconds:.0f} s; {self._clock.remaining()}")

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Say why."""
        self._clock.failed += not will_retry
        _line(f"{'trying again' if will_retry else 'failed'}: {place(planned)}: {reason}")


class LiveView(Progress):
    """One table: a row per dataset and loss, with what is running there.

    Args:
        study: Name for the title.
    """

    def __init__(self, study: str) -> None:
        self._study = study
        self._clock = _Clock()
        self._done: dict[tuple[str, str], int] = {}
        self._failed: dict[tuple[str, str], int] = {}
        self._best: dict[tuple[str, str], float] = {}
        self._now: dict[tuple[str, str], dict[str, str]] = {}

    def __rich__(self) -> Table:
        """Draw the table."""
        clock = self._clock
        title = f"{self._study}: {clock.seen}/{clock.expected} trials, {clock.speed()}, {clock.remaining()}"
        table = Table(title=title, title_justify="left", header_style="bold")
        for column in ("dataset", "loss"):
            table.add_column(column)
        for column in ("done", "failed", "best val DSC"):
            table.add_column(column, justify="right")
        table.add_column("running")
        for cell in dict.fromkeys([*self._now, *self._done, *self._failed]):
            best = self._best.get(cell)
            failed = self._failed.get(cell, 0)
            table.add_row(
                Text(visible(cell[0])),
                Text(visible(cell[1])),
                str(self._done.get(cell, 0)),
                Text(str(failed), style="red" if failed else ""),
                "" if best is None else f"{best:.3f}",
                Text("; ".join(self._now.get(cell, {}).values())),
            )
        return table

    def begin(self, expected: int) -> None:
        """Note how many trials there are."""
        self._clock.expected = expected

    def reused(self, planned: PlannedTrial, state: str) -> None:
        """Count it."""
        self._clock.reused += 1
        self._count(self._failed if state == "failed" else self._done, planned)

    def started(self, planned: PlannedTrial, resumed_at: int) -> None:
        """Show it as running."""
        self._show(planned, f"seed {planned.trial.seed}: starts")

    def epoch(self, planned: PlannedTrial, record: EpochRecord) -> None:
        """Show epoch and validation DSC."""
        of = planned.trial.protocol.epochs
        self._show(
            planned, f"seed {planned.trial.seed}: epoch {record.epoch + 1}/{of}, DSC {record.val_dsc:.3f}"
        )

    def finished(self, planned: PlannedTrial, state: str, best_val_dsc: float | None, seconds: float) -> None:
        """Count it."""
        self._clock.trained += 1
        self._now.get(_cell(planned), {}).pop(planned.trial.key, None)
        self._count(self._done, planned)
        if best_val_dsc is not None:
            self._best[_cell(planned)] = max(best_val_dsc, self._best.get(_cell(planned), 0.0))

    def failed(self, planned: PlannedTrial, reason: str, will_retry: bool) -> None:
        """Count it, unless it is tried again."""
        self._now.get(_cell(planned), {}).pop(planned.trial.key, None)
        if not will_retry:
            self._clock.failed += 1
            self._count(self._failed, planned)

    def _show(self, planned: PlannedTrial, text: str) -> None:
        self._now.setdefault(_cell(planned), {})[planned.trial.key] = text

    def _count(self, counts: dict[tuple[str, str], int], planned: PlannedTrial) -> None:
        counts[_cell(planned)] = counts.get(_cell(planned), 0) + 1


def _cell(planned: PlannedTrial) -> tuple[str, str]:
    tuning = " (tuning)" if planned.trial.purpose == "search" else ""
    return planned.dataset, planned.label + tuning


def _line(text: str) -> None:
    # One line, or a name could pretend to be another event.
    stderr.print(text.replace("\n", r"\n"), highlight=False, markup=False, soft_wrap=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
