"""Named things that the command line, the docs, the tests and the reports enumerate."""

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
