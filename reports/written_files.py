"""Which files a report has written, so that the next one leaves nothing outdated beside its own."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

LIST = "files.txt"
_FOLDERS = ("figures", "tables")


def replace_outdated(out: Path, written: Iterable[Path]) -> None:
    """Delete figures and tables of the report before that this one has not written, and list what it has.

    Only files that the list names are deleted: what somebody else put there stays.

    Args:
        out: Folder of the report.
        written: Its figures and tables.
    """
    now = sorted({path.relative_to(out).as_posix() for path in written})
    for name in listed(out) - set(now):
        (out / name).unlink(missing_ok=True)
    (out / LIST).write_text("".join(f"{name}\n" for name in now), encoding="utf-8", newline="\n")


def listed(out: Path) -> frozenset[str]:
    """Return the figures and tables that the report in a folder has written, as paths below it."""
    path = out / LIST
    names = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return frozenset(name for name in names if _is_ours(name))


def _is_ours(name: str) -> bool:
    """Tell whether a name can lead nowhere else: a file in one of the folders of a report."""
    parts = PurePosixPath(name).parts
    return len(parts) == 2 and parts[0] in _FOLDERS and parts[1] not in {"..", "."}
