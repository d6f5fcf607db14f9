"""Journals: one style file each, which holds the width of the page and the sizes of type.

``<name>.mplstyle`` is laid over ``reports/figures/lossbench.mplstyle``; the first number of its
``figure.figsize`` is the full text width in inches. A file more is a journal more.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from harness.errors import InputError, nearest

_FOLDER = Path(__file__).parent
JOURNALS = tuple(sorted(path.stem for path in _FOLDER.glob("*.mplstyle")))
DEFAULT = "elsevier"

_ACTIVE: ContextVar[str] = ContextVar("journal", default=DEFAULT)


@contextmanager
def journal(name: str) -> Iterator[None]:
    """Draw for a journal until the end of the block.

    Raises:
        InputError: if there is no such style.
    """
    if name not in JOURNALS:
        hint = nearest(name, JOURNALS) or f"; known: {', '.join(JOURNALS)}"
        raise InputError(f"unknown style {name!r}{hint}")
    token = _ACTIVE.set(name)
    try:
        yield
    finally:
        _ACTIVE.reset(token)


def active_journal() -> str:
    """Return the name of the journal that is drawn for."""
    return _ACTIVE.get()


def style_file() -> Path:
    """Return the style file of the journal that is drawn for."""
    return _FOLDER / f"{_ACTIVE.get()}.mplstyle"


def page_width() -> float:
    """Return the full text width of the journal that is drawn for, in inches."""
    return _widths()[_ACTIVE.get()]


@cache
def _widths() -> dict[str, float]:
    from matplotlib import rc_params_from_file

    files = {name: _FOLDER / f"{name}.mplstyle" for name in JOURNALS}
    return {
        name: float(rc_params_from_file(path, use_default_template=False)["figure.figsize"][0])
        for name, path in files.items()
    }
