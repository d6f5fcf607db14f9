"""Where Ray puts sockets, logs and objects."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.cli.doctor.base import GIB, Finding, Setup, check, gibibytes
from harness.cli.doctor.filesystem import why_not_writable

LONGEST_SOCKET = 107
"""Bytes that a path of a Unix socket may have on Linux."""

SESSION = "/session_2026-11-25_14-30-05_123456_1234567/sockets/plasma_store"
"""What Ray adds to its temporary folder."""

FULLEST = 0.95
"""Ray makes no object on a file system that is fuller."""

OBJECT_STORE = 100 * 2**20
"""Bytes of shared memory that a private cluster takes."""

SHARED_MEMORY = Path("/dev/shm")


@check("ray folders", "storage")
def look(setup: Setup) -> Iterator[Finding]:
    """Measure Ray's temporary folder and shared memory."""
    folder = setup.scratch
    temporary = folder.parent.parent
    yield judge_path(str(folder.parent))
    reason = why_not_writable(folder)
    if reason is not None:
        mend = "free space there, or make it writable for everyone: chmod 1777"
        yield Finding(f"{str(temporary)!r} cannot be written: {reason}", "broken", mend)
    usage = shutil.disk_usage(temporary)
    yield judge_temporary(usage.total, usage.free, str(temporary))
    if SHARED_MEMORY.is_dir():
        facts = os.statvfs(SHARED_MEMORY)
        yield judge_shared_memory(facts.f_bavail * facts.f_frsize)


def judge_path(folder: str) -> Finding:
    """Return whether Ray's sockets have a path that is short enough.

    Args:
        folder: Ray's temporary folder.
    """
    length = len(os.fsencode(folder + SESSION))
    if length > LONGEST_SOCKET:
        mend = f"make /tmp, or set TMPDIR to a path of at most {LONGEST_SOCKET - len(SESSION) - 24} bytes"
        return Finding(f"sockets in {folder!r} have paths of {length} bytes", "broken", mend)
    return Finding(f"sockets in {folder!r} have short paths ({length} of {LONGEST_SOCKET} bytes)")


def judge_temporary(total: int, free: int, folder: str) -> Finding:
    """Return what is to be said of the file system of Ray's temporary folder.

    Args:
        total: Bytes it has.
        free: Bytes that are left.
        folder: Its name.
    """
    told = f"{gibibytes(free)} free in {folder!r}"
    if free < (1 - FULLEST) * total:
        mend = f"free more than {gibibytes((1 - FULLEST) * total)}: Ray stops on a file system so full"
        return Finding(f"{told}, more than {FULLEST:.0%} used", "broken", mend)
    if free < GIB:
        return Finding(told, "warning", f"free more than {gibibytes(GIB)}: Ray writes logs there")
    return Finding(told)


def judge_shared_memory(free: int) -> Finding:
    """Return what is to be said of shared memory.

    Args:
        free: Bytes.
    """
    told = f"{gibibytes(free)} free in {str(SHARED_MEMORY)!r}"
    if free < OBJECT_STORE:
        return Finding(told, "warning", "start the container with --shm-size=1g: Ray keeps objects there")
    return Finding(told)
