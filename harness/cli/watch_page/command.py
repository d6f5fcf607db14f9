"""Watch a study: keep its report fresh, and serve it with its progress."""

import signal
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from harness.cli.home import Home
from harness.cli.output import stdout
from harness.cli.watch_page.progress import Looks, as_html, board_of, live_page, progress
from harness.cli.watch_page.report_files import (
    PAGE,
    ReportFiles,
    replace_text,
    what_a_report_depends_on,
)
from harness.cli.watch_page.server import Site, serving
from harness.store.database import Database, as_input_error, open_database
from harness.store.watching import Snapshot, snapshot

PROGRESS_PAGE = "watch.html"
_POLL_SECONDS = 5.0
"""Between two questions of the page for news, at most: they are cheap."""

_REST = 4
"""Times that a report took, for which the next one waits: training needs the processors."""


@dataclass(frozen=True)
class WatchOptions:
    """How a study is watched.

    Attributes:
        port: On the loopback address; 0: a free one.
        every: Seconds between two looks at the database.
        style: The journal that figures are drawn for.
        out: Folder of the report; that of the home folder if absent.
        once: Write report and progress once, and serve nothing.
    """

    port: int = 0
    every: float = 30.0
    style: str = "elsevier"
    out: Path | None = None
    once: bool = False


class Watcher:
    """A study that is watched.

    Args:
        database: Open results database.
        study: Name of the study.
        where: Where caches and artifacts lie.
        options: How to watch.

    Raises:
        InputError: if there is no such study or style.
    """

    def __init__(self, database: Database, study: str, where: Home, options: WatchOptions) -> None:
        from reports.build import ReportOptions, build_report
        from reports.figures.journals import journal

        with journal(options.style):
            self.study, self.options = study, options
        self.looks = Looks(lambda: snapshot(database, study), min(1.0, options.every))

        depends = what_a_report_depends_on(database, study)

        def build(folder: Path) -> object:
            places = folder, where.prepared, where.artifacts
            with as_input_error(database.url):
                return build_report(database, study, *places, ReportOptions(options.style))

        def changed(found: Snapshot) -> Hashable:
            with as_input_error(database.url):
                return depends(found)

        self.report = ReportFiles(options.out or where.report(study), build, changed)

    @property
    def site(self) -> Site:
        """What is served of it."""
        milliseconds = round(1000 * min(self.options.every, _POLL_SECONDS))
        return Site(lambda: self.page(milliseconds), self.progress, self._files)

    def step(self) -> bool:
        """Look at the database and write the report anew if it changed; return whether it was written."""
        found, note = self.looks.now()
        return not note and self.report.refresh(found)

    def progress(self) -> dict[str, Any]:
        """Return the progress, the state of the report and both as HTML."""
        return self._told()[0]

    def page(self, live: int = 0) -> str:
        """Return the page; ``live`` is in milliseconds, 0 for one that stays as it is."""
        told, fragment = self._told()
        return live_page(self.study, told, fragment, live)

    def _told(self) -> tuple[dict[str, Any], str]:
        found, note = self.looks.now()
        state = self.report.state
        told = progress(found, self.study, note)
        told["report"] = {"version": state.version, "sentence": state.sentence}
        fragment = as_html(told, board_of(found, self.study))
        return {**told, "html": fragment}, fragment

    def _files(self) -> dict[str, Path]:
        return {name: self.report.folder / name for name in self.report.state.files}


def watch_study(study: str, where: Home, options: WatchOptions) -> None:
    """Watch a study of a database until somebody ends it, or once.

    Raises:
        InputError: if there is no such study, or the port cannot be used.
    """
    database = open_database(where.database_url)
    try:
        watcher = Watcher(database, study, where, options)
        if options.once:
            _once(watcher)
            return
        with ended_by_signals() as ended, serving(watcher.site, options.port) as address:
            _say(f"watching {study} at {address} (Ctrl-C ends it)")
            keep_fresh(watcher, ended.wait)
    finally:
        database.close()


def keep_fresh(watcher: Watcher, wait: Callable[[float], bool]) -> None:
    """Write the report whenever it changes until ``wait``, which gets seconds, returns True."""
    with suppress(KeyboardInterrupt):  # perhaps in the middle of a report: the one before stays as it was
        while True:
            if watcher.step():
                _say(watcher.report.state.sentence)
            if wait(max(watcher.options.every, _REST * watcher.report.seconds)):
                return


@contextmanager
def ended_by_signals() -> Iterator[threading.Event]:
    """Give an event that is set by SIGTERM; as Ctrl-C does, it also interrupts what is being done."""
    ended = threading.Event()

    def end(_signal: int, _frame: FrameType | None) -> None:
        ended.set()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield ended
        return
    before = signal.signal(signal.SIGTERM, end)
    try:
        with suppress(KeyboardInterrupt):
            yield ended
    finally:
        signal.signal(signal.SIGTERM, before)


def _once(watcher: Watcher) -> None:
    watcher.step()
    page = watcher.report.folder / PROGRESS_PAGE
    replace_text(page, watcher.page())
    _say(watcher.report.state.sentence)
    if watcher.report.state.version:
        _say(f"report: {watcher.report.folder / PAGE}")
    _say(f"progress: {page}")


def _say(text: str) -> None:
    stdout.print(text, highlight=False, markup=False, soft_wrap=True)
