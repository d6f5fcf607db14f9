"""What a trial told: its state in the database, then its log file, also while it grows."""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.cli.output import visible
from harness.cli.watching.board import one_line
from harness.cli.watching.names import loss_shown, seed_shown
from harness.errors import InputError
from harness.scheduling.trial_log import LOG_FILE
from harness.store.artifacts import folder_of, is_folder_name
from harness.store.keys import SHOWN
from harness.store.schema import EXTERNAL
from harness.store.watching import TrialHead

_LOOK_SECONDS, _ASK_SECONDS = 0.5, 2.0
"""Between two looks at the file, and between two questions to the database."""


def log_of(artifacts: Path, key: str) -> Path | None:
    """Return the path of a trial's log; None if its key, from somebody else's database, names no folder."""
    name = folder_of(key)
    return artifacts / name / LOG_FILE if is_folder_name(name) else None


def head_lines(head: TrialHead) -> Iterator[str]:
    """Yield which trial it is and how it stands."""
    tries = f" after {head.attempts} attempts" if head.attempts > 1 else ""
    epoch = f", epochs done: {head.epoch_now}" if head.state == "running" and head.epoch_now else ""
    dsc = "" if head.best_val_dsc is None else f", best validation DSC {head.best_val_dsc:.3f}"
    reason = "" if head.reason is None else f": {head.reason}"
    yield one_line(f"trial {head.key[:SHOWN]} {head.state}{tries}{epoch}{dsc}{reason}")
    fold = f", fold {head.fold}" if head.fold else ""
    seed = seed_shown(head.seed)
    for study, dataset, label in head.places:
        loss = loss_shown(label, head.purpose)
        yield one_line(f"study {study}: {dataset} / {loss} / seed {seed}{fold}")


def whole_text(head: TrialHead, log: Path | None) -> Iterator[str]:
    """Yield the lines of the log, or what the database has instead.

    Raises:
        InputError: if there is neither.
    """
    if log is not None and log.is_file():
        with log.open(encoding="utf-8", errors="backslashreplace") as stream:
            yield from (_shown(line) for line in stream)
    elif head.traceback:
        yield f"no log in {str(log)!r}; the database has the traceback:"
        yield from map(_shown, head.traceback.splitlines())
    elif head.state == "waiting" and not head.attempts:
        yield "it has not begun"
    else:
        raise InputError(_no_log(head, log))


def as_json(head: TrialHead, log: Path | None) -> dict[str, Any]:
    """Return everything for other programs; ``log`` is null where there is none."""
    lines = None
    if log is not None and log.is_file():
        lines = log.read_text(encoding="utf-8", errors="backslashreplace").splitlines()
    places = [dict(zip(("study", "dataset", "loss"), place, strict=True)) for place in head.places]
    return {**asdict(head), "places": places, "log": lines}


def growing_text(head: TrialHead, log: Path | None, ask: Callable[[], TrialHead]) -> Iterator[str]:
    """Yield the lines of a log as they are written, until the trial is over.

    Args:
        head: How the trial stood.
        log: Its log; it need not be there yet.
        ask: Returns how the trial stands now; may raise InputError while the database does not answer.

    Raises:
        InputError: if the trial is over and left no log.
    """
    if log is None or (_over(head) and not log.is_file()):
        yield from whole_text(head, log)
        return
    tail = _Tail(log)
    asked = time.monotonic()
    while not _over(head):
        yield from tail.new_lines()
        time.sleep(_LOOK_SECONDS)
        if time.monotonic() - asked >= _ASK_SECONDS:
            asked = time.monotonic()
            try:
                head = ask()
            except InputError:
                continue  # the log goes on meanwhile
    yield from tail.new_lines(last=True)
    yield from head_lines(head)


class _Tail:
    """Reads what was appended to a file since the last look."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0
        self._begun = b""

    def new_lines(self, last: bool = False) -> Iterator[str]:
        """Yield whole lines; the last one, that may still grow, only if it is the ``last`` look."""
        try:
            with self._path.open("rb") as stream:
                if stream.seek(0, 2) < self._read:  # begun anew
                    self._read, self._begun = 0, b""
                stream.seek(self._read)
                added = stream.read()
        except OSError:
            return
        self._read += len(added)
        *lines, self._begun = (self._begun + added).split(b"\n")
        if last and self._begun:
            lines.append(self._begun)
        yield from (_shown(line.decode("utf-8", "backslashreplace")) for line in lines)


def _over(head: TrialHead) -> bool:
    return head.state not in {"waiting", "running"}


def _shown(line: str) -> str:
    return visible(line.rstrip("\r\n"))


def _no_log(head: TrialHead, log: Path | None) -> str:
    trial = f"trial {head.key[:SHOWN]!r}"
    if head.family == EXTERNAL:
        return f"{trial} was not trained here, its predictions were scored; it has no log"
    if log is None:
        return f"{trial} has a key that names no folder; it has no log here"
    return (
        f"{trial} has no log in {str(log.parent)!r}; it lies in the home folder of the run, on the "
        "machine of its driver: give that folder with --home"
    )
