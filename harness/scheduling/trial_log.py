"""The log of a trial: a text file beside its other files, written by the driver alone."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from harness.store.artifacts import folder_of
from harness.store.privacy import without_secrets

LOG_FILE = "log.txt"

_FLUSH_SECONDS = 1.0


class TrialLog:
    """Appends lines to the logs of trials, a few at a time and in a thread of its own: disks can be slow.

    Args:
        artifacts: Folder that holds one folder per trial.
    """

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts
        self._lines: dict[str, list[str]] = {}
        self._flushed = time.monotonic()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lossbench log")

    def write(self, key: str, text: str) -> None:
        """Add a text under the present moment.

        Args:
            key: Of the trial.
            text: One line, or several, of which the later ones are indented; secrets are masked.
        """
        first, *later = without_secrets(text.rstrip()).splitlines() or [""]
        lines = [f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {first}", *(f"  {line}" for line in later)]
        self._lines.setdefault(key, []).extend(lines)

    def flush(self, key: str) -> None:
        """Put the lines of a trial into its file; a log that cannot be written stops no trial."""
        lines = self._lines.pop(key, [])
        if lines:
            self._writer.submit(self._append, key, lines)

    def flush_all(self) -> None:
        """Put the lines of all trials into their files."""
        for key in list(self._lines):
            self.flush(key)
        self._flushed = time.monotonic()

    def flush_now_and_then(self) -> None:
        """Do so if it was not done within the last second."""
        if time.monotonic() - self._flushed >= _FLUSH_SECONDS:
            self.flush_all()

    def close(self) -> None:
        """Write what is left."""
        self.flush_all()
        self._writer.shutdown()

    def _append(self, key: str, lines: list[str]) -> None:
        folder = self._artifacts / folder_of(key)
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / LOG_FILE).open("a", encoding="utf-8", errors="backslashreplace") as stream:
                stream.write("\n".join(lines) + "\n")

    def clear_but_log(self, key: str) -> None:
        """Delete the other files of a trial that has failed: it will begin anew."""
        folder = self._artifacts / folder_of(key)
        for path in folder.glob("*") if folder.is_dir() else ():
            if path.name == LOG_FILE:
                continue
            with suppress(OSError):
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()
