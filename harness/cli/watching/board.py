"""The table of a study: what waits, runs and is done, fitted to a terminal."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType
from rich.table import Table
from rich.text import Text

from harness.cli.output import visible
from harness.cli.watching.names import seed_shown
from harness.scheduling.time_left import Range

MOST_LINES = 400
"""Of a table where no height limits it."""

_HEADINGS, _GAP = 2, 1
"""Lines of a table above its first row, and between two tables."""

_ROOM_FOR_BOTH, _ROOM_FOR_REMARKS = 10, 80
"""Lines from which on running trials are listed, and columns from which on with remarks."""

_SHORTEST_NAME = 8
"""Columns that a name gets in the narrowest terminal."""


@dataclass(frozen=True)
class RunningTrial:
    """A trial at work.

    Attributes:
        dataset: Name of its dataset.
        loss: Label of its loss.
        seed: Seed index.
        fold: Fold, None where a dataset is divided only once.
        done: Number of epochs that are over; None before the first is.
        epochs: Number of epochs in all, None if unknown.
        dsc: Validation DSC of the last epoch.
        best: Best validation DSC of all epochs so far.
        remark: What else there is to say.
    """

    dataset: str
    loss: str
    seed: int
    fold: int | None = None
    done: int | None = None
    epochs: int | None = None
    dsc: float | None = None
    best: float | None = None
    remark: str = ""


@dataclass(frozen=True)
class Row:
    """Trials of one dataset and loss, by state; ``best`` is their best validation DSC so far."""

    dataset: str
    loss: str
    waiting: int = 0
    running: int = 0
    done: int = 0
    diverged: int = 0
    pruned: int = 0
    failed: int = 0
    best: float | None = None

    @property
    def trials(self) -> int:
        """How many there are in all."""
        return self.waiting + self.running + self.done + self.diverged + self.pruned + self.failed


@dataclass(frozen=True)
class Board:
    """Everything that is shown of a study.

    Attributes:
        study: Its name.
        rows: In the order of the plan.
        running: The trials at work, those that have come furthest first.
        at_work: Who works, as half a sentence.
        per_hour: Trials with a result per hour, None if not known.
        left: Time to the end, None if not known.
        notes: What else a person should know.
    """

    study: str
    rows: Sequence[Row]
    running: Sequence[RunningTrial] = ()
    at_work: str = ""
    per_hour: float | None = None
    left: Range | None = None
    notes: Sequence[str] = ()

    @property
    def trials(self) -> int:
        """How many there are in all."""
        return sum(row.trials for row in self.rows)

    @property
    def over(self) -> bool:
        """Whether nothing waits or runs."""
        return not any(row.waiting or row.running for row in self.rows)

    def summary(self) -> str:
        """Return who works, how fast, and for how long still, as one line."""
        if self.over:
            return "nothing waits or runs"
        speed = "" if self.per_hour is None else f"{per_hour_words(self.per_hour)}, "
        work = f"{self.at_work}, " if self.at_work else ""
        return f"{work}{speed}{left_words(self.left)}"

    def counts(self) -> str:
        """Return how many of the trials have ended, and how."""
        ended = sum(row.done + row.diverged + row.pruned for row in self.rows)
        others = {
            "diverged": sum(row.diverged for row in self.rows),
            "pruned": sum(row.pruned for row in self.rows),
            "failed": sum(row.failed for row in self.rows),
            "running": sum(row.running for row in self.rows),
        }
        more = "".join(f", {number} {state}" for state, number in others.items() if number)
        return f"{ended} of {self.trials} trials done{more}"


@dataclass(frozen=True)
class Boards:
    """Boards below each other.

    Attributes:
        boards: What to draw; of several, those that are over are one line each.
        fitted: Whether they must not be higher than the terminal.
    """

    boards: Sequence[Board]
    fitted: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        """Draw them."""
        short = [board for board in self.boards if board.over and len(self.boards) > 1]
        tall = [board for board in self.boards if board not in short]
        height = console.size.height - 1 - len(short) if self.fitted and console.is_terminal else MOST_LINES
        for board in tall:
            yield from drawn(board, height // len(tall) - (len(tall) > 1), console, options.max_width)
            if len(self.boards) > 1:
                yield Text("")
        for board in short:
            yield title_of(board)


def title_of(board: Board) -> Text:
    """Return the line above a table."""
    name = (f"{one_line(board.study)}: ", "bold")
    return Text.assemble(name, board.counts(), no_wrap=True, overflow="ellipsis")


def drawn(board: Board, height: int, console: Console, width: int) -> Iterator[RenderableType]:
    """Draw a board in so many lines of so many columns."""
    notes = [Text(f"! {visible(note)}", "yellow") for note in board.notes]
    yield title_of(board)
    yield Text(board.summary(), no_wrap=True, overflow="ellipsis")
    room = height - 2 - sum(len(note.wrap(console, width)) for note in notes)
    rows, running = _shares(len(board.rows), len(board.running), room)
    yield _cells(board.rows if rows == len(board.rows) else urgent_first(board.rows, rows), width)
    yield from _rest(len(board.rows) - rows, "row")
    if running:
        yield Text("")
        yield _now(board.running[:running], width)
        yield from _rest(len(board.running) - running, "running trial")
    yield from notes


def _shares(rows: int, running: int, room: int) -> tuple[int, int]:
    """Return how many rows of both tables fit; a table that is cut has a line that says so."""
    above, below = _HEADINGS + rows, (_GAP + _HEADINGS + running if running else 0)
    if above + below > room:
        below = min(below, max(room // 3, _GAP + _HEADINGS + 2)) if room >= _ROOM_FOR_BOTH else 0
        above = min(above, room - below)
    shown = rows if above >= _HEADINGS + rows else max(1, above - _HEADINGS - 1)
    listed = running if below >= _GAP + _HEADINGS + running else max(0, below - _GAP - _HEADINGS - 1)
    return shown, listed


def _rest(number: int, what: str) -> Iterator[Text]:
    if number:
        yield Text(f"and {number} more {what}{'s' if number > 1 else ''}", "dim")


def urgent_first(rows: Sequence[Row], number: int) -> list[Row]:
    """Return so many rows in their order: those that run, then those with failures, then the unfinished."""
    by_need = sorted(rows, key=lambda row: (not row.running, not row.failed, not row.waiting))
    chosen = set(map(id, by_need[:number]))
    return [row for row in rows if id(row) in chosen]


def one_line(text: str) -> str:
    """Return ``text`` visible and on one line, so that a name cannot pretend to be another row."""
    return visible(text).replace("\n", r"\n").replace("\t", " ")


def left_words(left: Range | None) -> str:
    """Return the time left as words."""
    if left is None:
        return "time left not known yet"
    low, high = duration(left.low), duration(left.high)
    return f"time left {low}" if low == high else f"time left {low} to {high}"


def per_hour_words(rate: float) -> str:
    """Return a speed, with a digit after the point where it is slow."""
    return f"{rate:.0f} trials/h" if rate >= 10 else f"{rate:.1f} trials/h"


def duration(seconds: float) -> str:
    """Return seconds in the unit that fits.

    >>> [duration(each) for each in (42, 600, 9000, 300_000)]
    ['42 s', '10 min', '2.5 h', '3.5 days']
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def _cells(rows: Sequence[Row], width: int) -> Table:
    """Return the table of datasets and losses."""
    rare = [state for state in ("diverged", "pruned") if any(getattr(row, state) for row in rows)]
    states = ["waiting", "running", "done", *rare, "failed"]
    numbers = (*states, "best DSC")
    names = [[one_line(row.dataset) for row in rows], [one_line(row.loss) for row in rows]]
    table = _table(("dataset", "loss"), names, numbers, width - sum(len(name) + 2 for name in numbers))
    for row, *place in zip(rows, *names, strict=True):
        counts = [Text(str(getattr(row, state) or "-"), _style(state, row)) for state in states]
        table.add_row(*map(Text, place), *counts, _dsc(row.best))
    return table


def _now(running: Sequence[RunningTrial], width: int) -> Table:
    """Return the table of running trials."""
    names = [[one_line(trial.dataset) for trial in running], [one_line(trial.loss) for trial in running]]
    remarks = [one_line(trial.remark) if width >= _ROOM_FOR_REMARKS else "" for trial in running]
    numbers = [_numbers(trial) for trial in running]
    taken = sum(max(map(cell_len, column)) + 2 for column in (*zip(*numbers, strict=True), remarks))
    table = _table(("running now", "loss"), names, ("seed", "epoch", "DSC", "best"), width - taken)
    if any(remarks):
        table.add_column("", no_wrap=True, overflow="ellipsis")
    for row in zip(*names, *zip(*numbers, strict=True), remarks, strict=True):
        table.add_row(*map(Text, row if any(remarks) else row[:-1]))
    return table


def _numbers(trial: RunningTrial) -> tuple[str, str, str, str]:
    """Return seed, epoch, DSC and best DSC, none shorter than its heading."""
    fold = "" if trial.fold is None else f" fold {trial.fold}"
    done = "-" if trial.done is None else str(trial.done)
    epoch = done if trial.epochs is None else f"{done}/{trial.epochs}"
    dsc, best = _dsc(trial.dsc).rjust(5), _dsc(trial.best).rjust(5)
    return f"{seed_shown(trial.seed)}{fold}".rjust(4), epoch.rjust(5), dsc, best


def _table(
    headings: tuple[str, str], names: Sequence[Sequence[str]], numbers: Sequence[str], room: int
) -> Table:
    """Return an empty table whose two columns of names share ``room``: what one leaves, the other takes."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    room = max(room - 2, 2 * _SHORTEST_NAME)
    longest = [max(map(cell_len, column)) for column in ((headings[0], *names[0]), (headings[1], *names[1]))]
    first = min(longest[0], max(room // 2, room - longest[1]))
    for heading, most in zip(headings, (first, room - first), strict=True):
        table.add_column(heading, no_wrap=True, overflow="ellipsis", max_width=most)
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _style(state: str, row: Row) -> str:
    styles = {"failed": "red", "diverged": "yellow", "running": "green"}
    return styles.get(state, "") if getattr(row, state) else "dim"


def _dsc(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
