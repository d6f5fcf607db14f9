"""Layouts: where the files of each case lie in a folder as its archive unpacks it.

A layout is a function from a dataset's folder and description to its cases. It looks at names and
at the archive's own listings: it never opens an image and never writes. It names every file that a
case should have; whether the files are there is looked up here, once for all layouts, and reading
and checking the arrays is the reader's work.

Register one with :func:`layout` in a module of its own in this folder, which is found by itself.
"""

import os
import pkgutil
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib import import_module
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


def list_cases(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the cases of a dataset in natural order (``case_2`` before ``case_10``), files looked up or not.

    Args:
        root: The dataset's own folder.
        description: The dataset.

    Raises:
        InputError: if the folder is missing or holds no case, or two cases share a name.
    """
    entry = LAYOUTS[description.layout]
    where = f"dataset {description.name!r}"
    if not root.is_dir():
        raise InputError(f"{where}: no folder {str(root)!r}; expected {entry.expects}")
    cases = sorted(entry(root, description), key=lambda each: natural_order(each.case))
    if description.patient is not None:
        cases = [
            replace(each, patient=named_group(description.patient, each.case, each.case, "patient", where))
            for each in cases
        ]
    if not cases:
        raise InputError(f"{where}: no case in {str(root)!r}; expected {entry.expects}")
    for first, second in pairwise(cases):
        if first.case == second.case:
            raise InputError(
                f"{where}: case {first.case!r} is there twice, {str(first.label)!r} and "
                f"{str(second.label)!r}; keep one of them"
            )
    return cases


def find_cases(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return the cases of a dataset in natural order, all of whose files are there.

    Args:
        root: The dataset's own folder.
        description: The dataset.

    Raises:
        InputError: as :func:`list_cases`, or with a sentence for every case that lacks a file or has
            one that lies outside ``root``.
    """
    cases = list_cases(root, description)
    wrong = [
        f"dataset {description.name!r}: case {case.case!r} {problem}"
        for case in cases
        for problem in file_problems(case, root)
    ]
    if wrong:
        raise InputError("\n".join(wrong))
    return cases


def _is_text(name: str) -> bool:
    """Whether a name can be written; one that the file system keeps in another encoding cannot."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def file_problems(case: CaseFiles, root: Path) -> list[str]:
    """Return what is wrong with the files of a case before any is opened, each a clause with its remedy."""
    problems = list(case.problems)
    if not all(map(_is_text, (case.case, case.patient or "", case.site or ""))):
        problems.append("has a name that is no text in UTF-8, which no database takes; rename its files")
    for kind, path in case.by_kind:
        if not path.is_file():
            skip = (
                ", or leave such cases out with 'incomplete: skip' under 'files'" if case.structures else ""
            )
            remedy = f"add the file or take the case out of the dataset{skip if kind == 'label' else ''}"
            problems.append(f"has no {kind} {str(path)!r}; {remedy}")
        elif not inside(path, root):
            problems.append(
                f"has the {kind} {str(path)!r}, which links to a file outside {str(root)!r}; "
                "put the file itself there"
            )
    return problems


def named_group(expression: str, text: str, name: str, what: str, where: str) -> str:
    """Return the first group of a regular expression that has to match the beginning of a text.

    Args:
        expression: From a dataset's description.
        text: To match.
        name: Of the case, for the message.
        what: What the group names: ``patient`` or ``site``.
        where: Begins the message.

    Raises:
        InputError: if the expression is none, has no group, or does not match.
    """
    try:
        match = re.match(expression, text)
        group = match[1] if match else None
    except (re.error, IndexError) as error:
        raise InputError(
            f"{where}: '{what}' {expression!r} is not a regular expression with a group ({error}); "
            r"write for example '(\d+)[LR]'"
        ) from None
    if not group:
        raise InputError(
            f"{where}: case {name!r}: {text!r} does not match the '{what}' expression {expression!r}; "
            f"correct the expression so that its first group names the {what} of every case"
        )
    return group


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


def unwrapped(root: Path, *wrappers: str) -> Path:
    """Return ``root``, one level deeper for each of the folders ``wrappers`` that is there, in turn."""
    for wrapper in wrappers:
        root = root / wrapper if (root / wrapper).is_dir() else root
    return root


def require_channels(description: DatasetDescription, known: Iterable[str]) -> None:
    """Do nothing if an archive holds all channels that a description asks for.

    Raises:
        InputError: naming the first that it does not hold.
    """
    for channel in description.channels:
        if channel not in known:
            raise InputError(
                f"dataset {description.name!r}: the layout {description.layout!r} has no channel {channel!r}"
                f"; choose 'channels' from {', '.join(known)}"
            )


# Layout modules register themselves; they import the names above, hence the place of these lines.
for _found in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")
