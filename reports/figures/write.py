"""Write one picture, whole or not at all."""

from pathlib import Path
from tempfile import TemporaryDirectory

from harness.errors import InputError
from reports.figures.registry import Drawing
from reports.figures.save import save_as

SUFFIXES = (".png", ".pdf", ".svg")


def check_target(target: Path) -> None:
    """Refuse a file name that no picture can be written to.

    Raises:
        InputError: if it does not end in one of :data:`SUFFIXES`.
    """
    if target.suffix.lower() not in SUFFIXES:
        raise InputError(f"{target}: cannot draw into {target.suffix!r}; use one of {', '.join(SUFFIXES)}")


def write_drawing(drawing: Drawing, target: Path) -> None:
    """Write a drawing to ``target`` in the format of its suffix, the same bytes for the same drawing.

    Raises:
        InputError: if the name ends in none of :data:`SUFFIXES`.
    """
    check_target(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    # Beside the target: a file only moves in one piece within one file system.
    with TemporaryDirectory(dir=target.parent, prefix=f".{drawing.name}-") as scratch:
        written = Path(scratch) / f"{drawing.name}{target.suffix.lower()}"
        save_as(drawing, written)
        written.replace(target)
