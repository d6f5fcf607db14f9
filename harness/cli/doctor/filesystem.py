"""What a folder lies on: the kind of file system, its free space, whether it can be written."""

import os
import tempfile
from pathlib import Path

from harness.cli.doctor.base import GIB, Finding, gibibytes

MOUNTS = Path("/proc/self/mountinfo")

NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gpfs", "beegfs", "fhgfs"}
    | {"glusterfs", "pvfs2", "fuse.sshfs", "fuse.glusterfs", "fuse.ceph", "fuse.s3fs", "fuse.gcsfuse"}
)
"""Kinds on which two machines may see one file; SQLite's locks and log do not work there."""

FEWEST_INODES = 10_000


def nearest_folder(path: Path) -> Path:
    """Return ``path``, or the nearest thing above it that is there."""
    path = path.absolute()
    return next(each for each in (path, *path.parents) if os.path.lexists(each))


def kind_of(path: Path, mounts: Path = MOUNTS) -> str | None:
    """Return the kind of file system that a path lies on; None where the system does not tell.

    Args:
        path: Need not be there.
        mounts: The system's list of mounts, see proc(5).
    """
    try:
        lines = mounts.read_text().splitlines()
    except OSError:
        return None
    where = nearest_folder(path).resolve()
    found: tuple[int, str] | None = None
    for line in lines:
        before, _, after = line.partition(" - ")
        point = Path(before.split()[4].encode().decode("unicode_escape"))
        depth = len(point.parts)
        # Of two mounts on one folder the later one counts.
        if where.is_relative_to(point) and (found is None or depth >= found[0]):
            found = depth, after.split()[0]
    return None if found is None else found[1]


def judge_space(free: int, what: str, warn: int = 10 * GIB, least: int = GIB) -> Finding:
    """Return what is to be said of free space.

    Args:
        free: Bytes.
        what: Where.
        warn: Bytes below which it is a warning.
        least: Bytes below which studies cannot run.
    """
    told = f"{gibibytes(free)} free in {what}"
    if free < least:
        return Finding(told, "broken", f"free at least {gibibytes(least)} there, or use another folder")
    if free < warn:
        return Finding(told, "warning", f"free more than {gibibytes(warn)} before a large study")
    return Finding(told)


def space(folder: Path) -> tuple[int, int | None]:
    """Return free bytes, and free inodes where the file system counts them."""
    facts = os.statvfs(nearest_folder(folder))
    return facts.f_bavail * facts.f_frsize, facts.f_favail if facts.f_files else None


def why_not_writable(folder: Path) -> str | None:
    """Write and delete a small file; return the reason if that fails.

    Args:
        folder: If it is not there, the nearest one above it is tried, in which it would be made.
    """
    try:
        with tempfile.NamedTemporaryFile(dir=nearest_folder(folder), prefix=".doctor-") as file:
            file.write(bytes(64 * 1024))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None
