"""Looks at the database again and again."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from rich.live import Live

from harness.cli.output import stdout
from harness.cli.watching.board import Board, Boards
from harness.cli.watching.stored import boards, drivers
from harness.errors import InputError
from harness.store.watching import Snapshot

Draw: TypeAlias = Callable[[Sequence[Board], Snapshot], None]


def watch(look: Callable[[], Snapshot], every: float, as_json: bool = False) -> None:
    """Draw what the database knows until nothing waits or runs.

    A terminal shows one table; elsewhere a block, or a JSON object on a line, is printed after every change.

    Args:
        look: Reads the database; a failure after the first look is shown, and it is tried again.
        every: Seconds between two looks.
        as_json: Whether to print JSON.

    Raises:
        InputError: if the first look fails.
    """
    found, note = look(), ""
    with _live() if stdout.is_terminal and not as_json else _changes(as_json) as draw:
        while True:
            shown = boards(found, list_failures=True)
            if note:
                shown = [replace(board, notes=[*board.notes, note]) for board in shown]
            draw(shown, found)
            if not note and all(board.over for board in shown):
                return
            time.sleep(every)
            try:
                found, note = look(), ""
            except InputError as error:
                note = f"{error}; this is how it was before, trying again"


def facts(found: Snapshot, shown: Sequence[Board]) -> dict[str, Any]:
    """Return what the boards show, for other programs."""
    return {
        "studies": [_study(found, board) for board in shown],
        "running": [asdict(trial) for trial in found.running],
        "failures": list(found.failures),
    }


def _study(found: Snapshot, board: Board) -> dict[str, Any]:
    running = [trial for trial in found.running if trial.study == board.study]
    states = ("waiting", "running", "done", "diverged", "pruned", "failed")
    return {
        "study": board.study,
        "trials": board.trials,
        **{state: sum(getattr(row, state) for row in board.rows) for state in states},
        "stale": sum(trial.stale for trial in running),
        "drivers": drivers(running),
        "trials_per_hour": board.per_hour,
        "seconds_left": None if board.left is None else [board.left.low, board.left.high],
        "notes": list(board.notes),
    }


@contextmanager
def _live() -> Iterator[Draw]:
    with Live(console=stdout, auto_refresh=False) as live:
        yield lambda shown, _found: live.update(Boards(shown), refresh=True)


@contextmanager
def _changes(as_json: bool) -> Iterator[Draw]:
    before: list[Any] = []

    def draw(shown: Sequence[Board], found: Snapshot) -> None:
        # The time left changes with every look; that alone is no change.
        now = [(board.study, board.rows, board.running, board.notes) for board in shown]
        if now == before:
            return
        before[:] = now
        if as_json:
            line = {"at": found.at.isoformat(timespec="seconds"), **facts(found, shown)}
            stdout.out(json.dumps(line, default=str), highlight=False)
            return
        stdout.print(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", highlight=False)
        stdout.print(Boards(shown, fitted=False))
        stdout.print()

    yield draw
