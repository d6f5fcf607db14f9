"""The files that trials kept, below the artifact folder: one folder per trial."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Literal

from sqlalchemy import select

from harness.store.database import Database
from harness.store.keys import SHOWN
from harness.store.schema import ArtifactRow, TrialRow

FileState = Literal["intact", "missing", "changed"]


def folder_of(key: str) -> str:
    """Return the name of a trial's folder."""
    return key[:16]


def is_folder_name(name: str) -> bool:
    """Whether a name, put behind a folder, leads to something in that folder and nowhere else."""
    return PurePath(name).name == name and name not in {"", ".."}


def digest_of_file(path: Path) -> str:
    """Return the sha256 of a file.

    Raises:
        OSError: if it cannot be read.
    """
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def file_state(path: Path, sha256: str) -> FileState:
    """Compare a file with the sha256 that the database keeps of it."""
    try:
        return "intact" if digest_of_file(path) == sha256 else "changed"
    except OSError:
        return "missing"


def wrong_files(database: Database, root: Path) -> list[str]:
    """Return a sentence for every file below ``root`` that is missing or not what a trial wrote."""
    question = select(ArtifactRow.path, ArtifactRow.sha256, TrialRow.key).join(TrialRow)
    with database.read() as connection:
        rows = connection.execute(question.order_by(ArtifactRow.path)).all()
    found = ((row, file_state(root / row.path, row.sha256)) for row in rows)
    return [
        f"file {row.path!r} of trial {row.key[:SHOWN]!r} is {state}"
        for row, state in found
        if state != "intact"
    ]


def delete_files(root: Path, keys: Iterable[str]) -> list[Path]:
    """Delete the folders of trials and return those that could not be deleted."""
    left = []
    for name in map(folder_of, keys):
        folder = root / name
        # In a database from elsewhere a key may be a path; no folder of ours is called so.
        if is_folder_name(name) and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                left.append(folder)
    return left
