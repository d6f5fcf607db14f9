"""A report that is kept fresh: written anew when results are, and replaced file by file, each one whole."""

import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database
from harness.store.schema import ENDED_STATES, FINAL_STATES
from harness.store.stages import read_stages
from harness.store.watching import Snapshot

PAGE = "report.html"


@dataclass(frozen=True)
class ReportState:
    """What there is to say of the report.

    Attributes:
        version: How often it was written; 0: not yet.
        sentence: In what state it is.
        files: What may be read, by the path below its folder.
    """

    version: int = 0
    sentence: str = "No report yet: no trial has finished"
    files: frozenset[str] = frozenset()


class ReportFiles:
    """The report of a study in a folder.

    Args:
        folder: Where it lies.
        build: Writes a report into a folder that is there.
        changed: Returns what the report depends on, of a snapshot.
    """

    def __init__(
        self, folder: Path, build: Callable[[Path], object], changed: Callable[[Snapshot], Hashable]
    ) -> None:
        self.folder = folder
        self._build, self._changed = build, changed
        self._state = ReportState()
        self._before: Hashable = None
        self._lock = threading.Lock()
        self.seconds = 0.0

    @property
    def state(self) -> ReportState:
        """What there is to say of it now."""
        with self._lock:
            return self._state

    def refresh(self, found: Snapshot) -> bool:
        """Write the report anew if something in it would be another thing; return whether it was written.

        Files that readers may hold open are replaced, never written into. A report that cannot be written
        leaves the one before as it is, and its state says why.
        """
        counts = finished_trials(found)
        if not counts:
            return False
        began = time.monotonic()
        try:
            now = self._changed(found)
            if now == self._before:
                return False
            self._say(f"The report of {_trials(counts)} is being written", self.state.files)
            files = self._write()
        except InputError as error:
            self._say(f"The report cannot be written: {error}", self.state.files)
            return False  # tried again at the next look
        finally:
            self.seconds = time.monotonic() - began
        self._before = now
        with self._lock:
            version = self._state.version + 1
            self._state = ReportState(version, f"The report has the results of {_trials(counts)}", files)
        return True

    def _say(self, sentence: str, files: frozenset[str]) -> None:
        with self._lock:
            self._state = ReportState(self._state.version, sentence, files)

    def _write(self) -> frozenset[str]:
        """Write beside the folder, then move every file to its place, the page last."""
        from reports.written_files import listed

        before = self.state.files | listed(self.folder)
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{self.folder.name}-", dir=self.folder.parent) as made:
            new = Path(made)
            self._build(new)
            files = [path.relative_to(new) for path in sorted(new.rglob("*")) if path.is_file()]
            for file in sorted(files, key=lambda each: each == Path(PAGE)):
                target = self.folder / file
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(new / file, target)
        found = frozenset(PurePosixPath(file).as_posix() for file in files)
        for stale in before - found:
            (self.folder / stale).unlink(missing_ok=True)
        return found


def replace_text(path: Path, text: str) -> None:
    """Write a file so that nobody sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
        os.chmod(name, 0o644)  # mkstemp's is for its owner only
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def finished_trials(found: Snapshot) -> int:
    """Return the number of the study's own trials that are done or diverged."""
    return sum(cell.trials for cell in found.cells if cell.purpose == "study" and cell.state in FINAL_STATES)


def what_a_report_depends_on(database: Database, study: str) -> Callable[[Snapshot], Hashable]:
    """Return a function that tells whether a report would be another: ended trials, plan, stages.

    Epochs of running trials are left out: they would have it written all the time.
    """

    def changed(found: Snapshot) -> Hashable:
        cells: Counter[tuple[str, ...]] = Counter()
        seconds = 0.0
        for cell in found.cells:
            state = cell.state if cell.state in ENDED_STATES else "open"
            cells[cell.dataset, cell.loss, cell.purpose, state] += cell.trials
            seconds += cell.seconds if cell.state in ENDED_STATES else 0.0
        plan = frames.study_document(database, study).updated
        return tuple(sorted(cells.items())), round(seconds, 3), plan, len(read_stages(database, study))

    return changed


def _trials(number: int) -> str:
    return f"{number} finished trial{'' if number == 1 else 's'}"
