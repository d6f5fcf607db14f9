"""What a check is, what it is told and what it finds."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias, get_args

from harness.cli.home import Home
from harness.errors import InputError
from harness.registry import Registry

State: TypeAlias = Literal["fine", "warning", "broken"]
Group: TypeAlias = Literal["software", "machine", "limits", "storage"]

GROUPS: tuple[Group, ...] = get_args(Group)
"""In the order of the table."""

GIB = 2**30


@dataclass(frozen=True)
class Finding:
    """One line of the table.

    Attributes:
        found: What is there, with its value.
        state: ``broken`` if studies cannot run so, ``warning`` if they run worse than they could.
        remedy: How to mend it, one sentence; empty if and only if all is fine.
    """

    found: str
    state: State = "fine"
    remedy: str = ""

    def __post_init__(self) -> None:
        if (self.state == "fine") is bool(self.remedy):
            raise ValueError(f"a finding has a remedy if it is not fine, and only then: {self}")


@dataclass(frozen=True)
class Setup:
    """What is looked at.

    Attributes:
        home: The home folder and the database.
        data: Folder that holds one folder per dataset.
        address: Of a running Ray cluster; None: Ray is started on this machine.
        scratch: An empty folder with a short path, deleted at the end.
    """

    home: Home
    data: Path
    address: str | None
    scratch: Path


Look: TypeAlias = Callable[[Setup], Iterable[Finding]]


@dataclass(frozen=True)
class Check:
    """A registered check.

    Attributes:
        group: Where it stands in the table.
        look: Does the work; it may raise and it may hang, for it runs in a process of its own.
    """

    group: Group
    look: Look


CHECKS: Registry[Check] = Registry("check")


def check(name: str, group: Group) -> Callable[[Look], Look]:
    """Return a decorator that registers a check.

    Args:
        name: First column of the table.
        group: Where it stands in the table.
    """

    def decorate(look: Look) -> Look:
        CHECKS.register(name)(Check(group, look))
        return look

    return decorate


def broken_by(error: InputError, remedy: str) -> Finding:
    """Return the finding that a sentence of bad input tells: what is wrong, a semicolon, what to do.

    Args:
        error: What was raised.
        remedy: For a sentence that names none.
    """
    first = str(error).partition("\n")[0]
    found, _, told = first.rpartition("; ")
    return Finding(found or first, "broken", told if found else remedy)


def gibibytes(size: float) -> str:
    """Return a number of bytes for people.

    >>> gibibytes(3 * 2**29)
    '1.5 GiB'
    """
    return f"{size / GIB:.1f} GiB" if size < 100 * GIB else f"{size / GIB:.0f} GiB"
