"""Digests of source files, remembered as long as the file system swears that they have not changed.

Reading every byte of a large archive at each start takes minutes. A digest is therefore kept with the
file's size, inode, and times of change, the last of which no program can set back: a tampered file
is read again even if its size and modification time were restored.
"""

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness.data.case import CaseFiles

_MEMORY = "source-digests.json"
_SETTLED_NS = 1_000_000_000
"""A file changed more recently may change again within the clock's resolution: it is not remembered."""


class SourceDigests:
    """Digests of the files of a dataset's cases.

    Args:
        folder: Where digests are remembered between calls.
        threads: Files read at a time.
    """

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self._path = folder / _MEMORY
        self._threads = threads
        self._known = _load(self._path)
        self._is_new = False

    def of_cases(self, cases: Iterable[CaseFiles], source: Path) -> list[str]:
        """Return a digest of each case's names, file names and file bytes.

        Args:
            cases: With all their files there.
            source: The dataset's folder; paths count relative to it.
        """
        cases = list(cases)
        digests = self._of_files(sorted({path for case in cases for path in case.all_files}))
        found = []
        for case in cases:
            files = [(os.path.relpath(path, source), digests[path]) for path in case.all_files]
            content = json.dumps([case.case, case.patient, case.site, files])
            found.append(hashlib.sha256(content.encode()).hexdigest())
        return found

    def remember(self) -> None:
        """Keep what was read for later calls."""
        if not self._is_new:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        handle, scratch = tempfile.mkstemp(prefix=f".{_MEMORY}-", dir=self._path.parent)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump(self._known, stream)
        Path(scratch).replace(self._path)

    def _of_files(self, paths: list[Path]) -> dict[Path, str]:
        found: dict[Path, str] = {}
        unknown = []
        for path in paths:
            state, digest = self._known.get(os.path.realpath(path), ("", ""))
            if state == _state(path):
                found[path] = digest
            else:
                unknown.append((path, _state(path)))
        with ThreadPoolExecutor(self._threads) as pool:
            read = pool.map(_digest, [path for path, _ in unknown])
            for (path, state), digest in zip(unknown, read, strict=True):
                found[path] = digest
                if _is_settled(path):
                    self._known[os.path.realpath(path)] = (state, digest)
                    self._is_new = True
        return found


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _state(path: Path) -> str:
    found = path.stat()
    return f"{found.st_size} {found.st_ino} {found.st_mtime_ns} {found.st_ctime_ns}"


def _is_settled(path: Path) -> bool:
    return time.time_ns() - path.stat().st_ctime_ns > _SETTLED_NS


def _load(path: Path) -> dict[str, tuple[str, str]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {str(file): (str(state), str(digest)) for file, (state, digest) in content.items()}
    except (OSError, ValueError, AttributeError):
        return {}
