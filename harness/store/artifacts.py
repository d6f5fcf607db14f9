"""The files that trials kept, below the artifact folder: one folder per trial."""

import hashlib
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from sqlalchemy import select

from harness.store.database import Database
from harness.store.schema import ArtifactRow, TrialRow

FileState = Literal["intact", "missing", "changed"]


def folder_of(key: str) -> str:
    """Return the name of a trial's folder."""
    return key[:16]


def file_state(path: Path, sha256: str) -> FileState:
    """Compare a file with the sha256 that the database keeps of it."""
    try:
        with path.open("rb") as stream:
            same = hashlib.file_digest(stream, "sha256").hexdigest() == sha256
    except OSError:
        return "missing"
    return "intact" if same else "changed"


def wrong_files(database: Database, root: Path) -> list[str]:
    """Return a sentence for every file below ``root`` that is missing or not what a trial wrote."""
    question = select(ArtifactRow.path, ArtifactRow.sha256, TrialRow.key).join(TrialRow)
    with database.read() as connection:
        rows = connection.execute(question.order_by(ArtifactRow.path)).all()
    found = ((row, file_state(root / row.path, row.sha256)) for row in rows)
    return [
        f"file {row.path!r} of trial {row.key[:12]!r} is {state}" for row, state in found if state != "intact"
    ]


def delete_files(root: Path, keys: Iterable[str]) -> list[Path]:
    """Delete the folders of trials and return those that could not be deleted."""
    left = []
    for key in keys:
        folder = root / folder_of(key)
        if folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            if folder.exists():
                left.append(folder)
    return left
