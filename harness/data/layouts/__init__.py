"""Layouts: where the files of each case lie in a folder as its archive unpacks it.

A layout is a function from a dataset's folder and description to its cases. It looks at names
only: it never opens an image, never writes, and refuses a tree in which a case lacks a file.
Reading and checking the arrays is the reader's work.

Register one with :func:`layout` in a module of its own and import that module below.
"""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.errors import InputError
from harness.registry import Registry

Layout = Callable[[Path, DatasetDescription], list[CaseFiles]]

_JUNK_FOLDERS = {"__MACOSX"}


@dataclass(frozen=True)
class LayoutEntry:
    """A registered layout.

    Attributes:
        find: Lists the cases below a dataset's folder.
        expects: What the folder should hold, to end an error message.
    """

    find: Layout
    expects: str

    def __call__(self, root: Path, description: DatasetDescription) -> list[CaseFiles]:
        """Return the cases below ``root``, in no particular order."""
        return self.find(root, description)


LAYOUTS: Registry[LayoutEntry] = Registry("layout")


def layout(name: str, expects: str) -> Callable[[Layout], Layout]:
    """Return a decorator that registers a layout.

    Args:
        name: As written under ``layout`` in a dataset's description.
        expects: What the dataset's folder should hold, for error messages.
    """

    def decorate(find: Layout) -> Layout:
        LAYOUTS.register(name)(LayoutEntry(find, expects))
        return find

    return decorate


def find_cases(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the cases of a dataset in natural order (``case_2`` before ``case_10``).

    Args:
        root: The dataset's own folder.
        description: The dataset.

    Raises:
        InputError: if the folder is missing or holds no case, a case lacks a file, or two cases
            share a name.
    """
    entry = LAYOUTS[description.layout]
    where = f"dataset {description.name!r}"
    if not root.is_dir():
        raise InputError(f"{where}: no folder {str(root)!r}; expected {entry.expects}")
    cases = sorted(entry(root, description), key=lambda each: natural_order(each.case))
    if not cases:
        raise InputError(f"{where}: no case in {str(root)!r}; expected {entry.expects}")
    for first, second in pairwise(cases):
        if first.case == second.case:
            raise InputError(
                f"{where}: case {first.case!r} is there twice, {str(first.label)!r} and "
                f"{str(second.label)!r}; keep one of them"
            )
    return cases


def natural_order(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return a sort key that compares runs of digits as numbers."""
    parts = re.split(r"(\d+)", name)
    return tuple(int(part) if odd % 2 else part for odd, part in enumerate(parts)), name


def is_junk(path: Path, root: Path) -> bool:
    """Whether ``path`` is hidden below ``root`` or left by macOS (``._x``, ``__MACOSX``)."""
    return any(part.startswith(".") or part in _JUNK_FOLDERS for part in path.relative_to(root).parts)


def inside(path: Path, root: Path) -> bool:
    """Whether ``path``, with links and ``..`` resolved, lies below ``root``."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


# Layout modules register themselves; they import the names above, hence the place of this line.
from harness.data.layouts import decathlon, patterns, wmh2017  # noqa: E402, F401
