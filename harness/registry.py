"""Named things that the command line, the docs, the tests and the reports enumerate."""

import importlib
from collections.abc import Callable, Iterator, Mapping
from typing import Generic, TypeVar

from harness.errors import InputError, nearest

T = TypeVar("T")


class Registry(Mapping[str, T], Generic[T]):
    """A mapping from name to class or function, filled by decoration and read in sorted order.

    Args:
        kind: What the entries are, in the singular, for messages (``"loss"``).
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._entries: dict[str, T] = {}

    def register(self, name: str) -> Callable[[T], T]:
        """Return a decorator that files its target under ``name``.

        Raises:
            ValueError: if the name is taken (a programming error, not user input).
        """

        def decorate(entry: T) -> T:
            if name in self._entries:
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return decorate

    def __getitem__(self, name: str) -> T:
        """Return the entry called ``name``.

        Raises:
            InputError: if there is none; the message names the nearest known name.
        """
        try:
            return self._entries[name]
        except KeyError:
            hint = nearest(name, self._entries) or f"; known: {', '.join(sorted(self._entries))}"
            raise InputError(f"unknown {self.kind} {name!r}{hint}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __len__(self) -> int:
        return len(self._entries)


def imported(kind: str, path: str, is_one: Callable[[object], bool]) -> object:
    """Return what somebody else's code has under an import path ``package.module:NAME``.

    Args:
        kind: What it is to be, in the singular, for messages (``"loss"``).
        path: Of the thing.
        is_one: Tells what may be meant when the name is mistyped.

    Raises:
        InputError: if the module cannot be imported or has no such name.
    """
    module_name, _, name = path.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # code of somebody else: anything may come
        raise InputError(
            f"{kind} {path!r}: cannot import {module_name!r}: {type(error).__name__}: {error}"
        ) from error
    if not hasattr(module, name):
        known = [known for known, value in vars(module).items() if is_one(value)]
        raise InputError(f"{kind} {path!r}: {module_name!r} has no {name!r}{nearest(name, known)}")
    return getattr(module, name)
