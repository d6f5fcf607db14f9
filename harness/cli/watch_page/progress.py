"""What a study is doing, as JSON and as a piece of HTML."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from harness.cli.output import visible
from harness.cli.watching.board import Board, left_words
from harness.cli.watching.names import seed_shown
from harness.cli.watching.stored import boards
from harness.cli.watching.watch import facts
from harness.errors import InputError
from harness.store.privacy import without_paths
from harness.store.watching import Snapshot

if TYPE_CHECKING:
    from jinja2 import Template

STATES = ("waiting", "running", "done", "diverged", "pruned", "failed")
_HERE = Path(__file__).parent


class Looks:
    """Looks at the database that several readers share, none of them older than some seconds.

    Args:
        ask: Reads the database.
        lasts: Seconds for which a look is good enough.
        clock: Seconds from any moment on.
    """

    def __init__(
        self,
        ask: Callable[[], Snapshot],
        lasts: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._lasts, self._clock = ask, lasts, clock
        self._found, self._note, self._until = ask(), "", clock() + lasts
        self._lock = threading.Lock()

    def now(self) -> tuple[Snapshot, str]:
        """Return the newest snapshot, and a note if the database did not answer and it is an older one."""
        with self._lock:
            if self._clock() >= self._until:
                try:
                    self._found, self._note = self._ask(), ""
                except InputError as error:
                    self._note = f"{error}; this is how it was before, trying again"
                self._until = self._clock() + self._lasts
            return self._found, self._note


def progress(found: Snapshot, study: str, note: str = "") -> dict[str, Any]:
    """Return the progress of a study as plain values.

    Args:
        found: What the database knows.
        study: Name of the study; it may have no trials yet.
        note: What else a reader should know.

    Returns:
        Trials by state, trials at work with their epoch and validation DSC, failures, time left, and
        whether it is over: nothing waits or runs.
    """
    board = _board(found, study)
    shown = facts(found, [board])
    (counted,) = shown["studies"]
    notes = [each for each in (*counted.pop("notes"), note) if each]
    return {
        **counted,
        "at": found.at.isoformat(timespec="seconds"),
        "over": bool(board.rows) and board.over,
        "notes": [without_paths(each) for each in notes],
        "sentence": _sentence(board),
        "running_trials": [
            {
                "dataset": trial.dataset,
                "loss": trial.loss,
                "seed": seed_shown(trial.seed),
                "fold": trial.fold,
                "epochs_done": trial.done,
                "epochs": trial.epochs,
                "val_dsc": trial.dsc,
                "best_val_dsc": trial.best,
                "remark": trial.remark,
            }
            for trial in board.running
        ],
        "failures": [_failure(row) for row in found.failures],
        "time_left": "" if board.over else left_words(board.left),
    }


def as_html(told: dict[str, Any], rows: Board) -> str:
    """Return the same as tables, for the page.

    Args:
        told: From :func:`progress`.
        rows: The board of the study, for the rows of datasets and losses.
    """
    page = _template("progress.html.jinja")
    return page.render(told=told, board=rows, states=STATES, visible=visible)


def live_page(study: str, told: dict[str, Any], fragment: str, live: int) -> str:
    """Return the whole page.

    Args:
        study: Name of the study.
        told: From :func:`progress`, with ``report``.
        fragment: From :func:`as_html`.
        live: Milliseconds between two questions of the page for news; 0 for none.
    """
    from reports.escape import printable
    from reports.page.parts import STYLES, asset

    text = _template("watch.html.jinja").render(
        study=study,
        told=told,
        fragment=Markup(fragment),
        live=live,
        style=asset(*STYLES),
        theme_script=asset("theme.js"),
        script=Markup((_HERE / "watch.js").read_text(encoding="utf-8")),
    )
    return printable(text)


def board_of(found: Snapshot, study: str) -> Board:
    """Return the board of a study, an empty one if it has no trials."""
    return _board(found, study)


def _board(found: Snapshot, study: str) -> Board:
    return next((board for board in boards(found) if board.study == study), Board(study, ()))


def _sentence(board: Board) -> str:
    if not board.rows:
        return "no trial is planned yet"
    return f"{board.counts()}; {board.summary()}"


def _failure(row: dict[str, Any]) -> dict[str, Any]:
    kept = ("dataset", "loss", "seed", "fold", "state", "reason")
    found = {name: row.get(name) for name in kept}
    if found["state"] == "done":  # only those with a reason are listed
        found["state"] = "collapsed"
    return {**found, "reason": without_paths(str(row.get("reason") or ""))}


def _template(name: str) -> "Template":
    from reports.page.parts import environment

    return environment(_HERE).get_template(name)
