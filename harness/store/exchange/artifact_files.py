"""Copy the files that merged trials kept, each checked by its sha256."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sqlalchemy import Connection, Row, select

from harness.store.database import Database
from harness.store.exchange.findings import short
from harness.store.schema import ArtifactRow, TrialRow

_BLOCK = 1 << 20


@dataclass(frozen=True)
class CopiedFiles:
    """What became of the files.

    Attributes:
        copied: Files copied.
        bytes: Their size.
        there: Files that were here already.
        problems: One sentence for every file that was not copied.
    """

    copied: int
    bytes: int
    there: int
    problems: tuple[str, ...]


def copy_artifacts(target: Database, other: Database, source: Path, destination: Path) -> CopiedFiles:
    """Copy the files of all artifacts that both databases have with the same sha256.

    Args:
        target: Ours, after the merge.
        other: Theirs.
        source: Their artifact folder.
        destination: Our artifact folder; files in it are never overwritten.
    """
    copied, size, there = 0, 0, 0
    problems = []
    for row in _shared(target, other):
        path = PurePosixPath(row.path)
        if not _stays_inside(path, source):
            problems.append(f"{_named(row)}: its path {row.path!r} leaves the artifact folder; not copied")
            continue
        to = destination / path
        if to.exists():
            there += 1
            if to.stat().st_size != row.bytes:
                problems.append(f"{_named(row)}: file {row.path!r} here is another one and stays")
            continue
        problem = _copy(source / path, to, row.sha256)
        if problem:
            problems.append(f"{_named(row)}: file {row.path!r} {problem}")
        else:
            copied, size = copied + 1, size + row.bytes
    return CopiedFiles(copied, size, there, tuple(problems))


def _shared(target: Database, other: Database) -> Iterator[Row[tuple[str, str, str, str, int]]]:
    with target.read() as ours, other.read() as theirs:
        here = {(row.key, row.kind, row.sha256) for row in _artifacts(ours)}
        yield from [row for row in _artifacts(theirs) if (row.key, row.kind, row.sha256) in here]


def _artifacts(connection: Connection) -> list[Row[tuple[str, str, str, str, int]]]:
    question = select(
        TrialRow.key, ArtifactRow.kind, ArtifactRow.path, ArtifactRow.sha256, ArtifactRow.bytes
    ).join(TrialRow, TrialRow.id == ArtifactRow.trial_id)
    return list(connection.execute(question.order_by(ArtifactRow.id)))


def _stays_inside(path: PurePosixPath, folder: Path) -> bool:
    """Whether a path of a foreign database, links followed, is one of the files below a folder."""
    if path.is_absolute() or ".." in path.parts or "\\" in str(path):
        return False
    return (folder / path).resolve().is_relative_to(folder.resolve())


def _copy(source: Path, target: Path, sha256: str) -> str:
    """Copy a file and return what went wrong, or nothing; a wrong file leaves no trace."""
    unfinished = target.with_name(f".{target.name}.{os.getpid()}")
    digest = hashlib.sha256()
    try:
        with source.open("rb") as reading:
            target.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as writing:
                while block := reading.read(_BLOCK):
                    digest.update(block)
                    writing.write(block)
        if digest.hexdigest() != sha256:
            return "has another sha256 than its database says; not copied"
        unfinished.rename(target)
    except FileNotFoundError:
        return "is missing there; not copied"
    except OSError as error:
        return f"cannot be copied: {error.strerror}"
    finally:
        unfinished.unlink(missing_ok=True)
    return ""


def _named(row: Row[tuple[str, str, str, str, int]]) -> str:
    return f"trial {short(row.key)}, {row.kind}"
