"""The home folder: can it be written, and is there room."""

from collections.abc import Iterator

from harness.cli.doctor.base import Finding, Setup, check
from harness.cli.doctor.filesystem import (
    FEWEST_INODES,
    judge_space,
    kind_of,
    nearest_folder,
    space,
    why_not_writable,
)


@check("home", "storage")
def look(setup: Setup) -> Iterator[Finding]:
    """Write a file there, and read free space and inodes."""
    home = setup.home.root
    found = nearest_folder(home)
    if not found.is_dir():
        yield Finding(f"{str(found)!r} is a file", "broken", "give another --home, or move the file away")
        return
    reason = why_not_writable(home)
    if reason is not None:
        mend = "give a --home that you can write to, or change its owner"
        yield Finding(f"{str(home)!r} cannot be written: {reason}", "broken", mend)
    else:
        made = "" if home.is_dir() else " (not there yet, the first run makes it)"
        yield Finding(f"{str(home)!r} can be written{made}, file system {kind_of(home) or 'unknown'}")
    free, inodes = space(home)
    yield judge_space(free, repr(str(home)))
    if inodes is not None and inodes < FEWEST_INODES:
        mend = "delete files there: every trial writes a few"
        yield Finding(f"{inodes} inodes free in {str(home)!r}", "warning" if inodes > 100 else "broken", mend)
