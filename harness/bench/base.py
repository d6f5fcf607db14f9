"""The base class of the benchmarks, their registry, and what a row of their tables says.

To add a benchmark, write one class in one file of this folder::

    @BENCHMARKS.register("surfaces")
    class Surfaces(Benchmark):
        '''Surface distances against MedPy's.'''

        baselines = ("MedPy",)

        def names(self) -> list[str]: ...
        def row(self, name: str) -> Row: ...

The command line and the tests then know it.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, ClassVar, Literal, TypeAlias

from harness.bench.measure import Comparison, Settings
from harness.registry import Registry

Verdict: TypeAlias = Literal["pass", "miss", "void", "error", "no target"]


@dataclass(frozen=True)
class BenchOptions:
    """What to measure on.

    Attributes:
        device: ``cpu`` or ``cuda``.
        threads: Threads of torch.
        only: Names of the rows to measure; all if empty.
        size: Pixels along each edge of the images; None for what the targets are stated for.
        settings: How hard to measure.
    """

    device: str = "cpu"
    threads: int = 1
    only: tuple[str, ...] = ()
    size: int | None = None
    settings: Settings = field(default_factory=Settings)


@dataclass(frozen=True)
class Row:
    """What was found out about one thing.

    Attributes:
        name: Of the thing.
        comparison: Its times; None if it could not be measured.
        targets: The largest ratio that passes, by baseline; only what has one.
        peers: What a baseline is in this row, where it differs from row to row.
        note: Where the formulas differ, or why a baseline is missing.
        error: Why the thing could not be measured.
    """

    name: str
    comparison: Comparison | None = None
    targets: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    peers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    note: str = ""
    error: str = ""

    @property
    def missed(self) -> tuple[str, ...]:
        """The baselines whose target was missed."""
        against = self.comparison.against if self.comparison else {}
        return tuple(
            name for name, most in self.targets.items() if name in against and not against[name].busy <= most
        )

    @property
    def verdict(self) -> Verdict:
        """Whether the targets are reached, if that can be said."""
        if self.comparison is None:
            return "error"
        if self.comparison.void:
            return "void"
        if not any(name in self.comparison.against for name in self.targets):
            return "no target"
        return "miss" if self.missed else "pass"

    def to_json(self) -> dict[str, Any]:
        """Return everything, for programs."""
        found = self.comparison
        return {
            "name": self.name,
            "busy_ms": found and found.seconds.busy * 1000,
            "wall_ms": found and found.seconds.wall * 1000,
            "aa": found and vars(found.aa),
            "against": {
                name: {
                    "what": self.peers.get(name, name),
                    **vars(ratio),
                    "target": self.targets.get(name),
                }
                for name, ratio in (found.against.items() if found else ())
            },
            "verdict": self.verdict,
            "missed": list(self.missed),
            "note": self.note,
            "error": self.error or None,
        }

    def cells(self, baselines: Sequence[str]) -> dict[str, str]:
        """Return the row as a table for people has it."""
        found = self.comparison
        cells = {"name": self.name, "ms": f"{found.seconds.busy * 1000:.1f}" if found else ""}
        for name in baselines:
            ratio = found.against.get(name) if found else None
            wall = "noisy" if found and found.wall_void else _shown(ratio.wall) if ratio else ""
            cells[f"vs {name} (wall)"] = (
                f"{_shown(ratio.busy)} ({wall})" if ratio else self.peers.get(name, "")
            )
        cells["target"] = ", ".join(
            f"{name} <= {_shown(most)}"
            for name, most in self.targets.items()
            if found is not None and name in found.against
        )
        cells["result"] = self._result()
        cells["note"] = self.error or self.note
        return cells

    def _result(self) -> str:
        if self.verdict == "void" and self.comparison is not None:
            return f"void: A/A {self.comparison.aa.busy:.2f}"
        if self.verdict == "miss":
            return f"miss: {', '.join(self.missed)}"
        return "" if self.verdict == "no target" else self.verdict


def _shown(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


class Benchmark(ABC):
    """Rows of a table of times. The first line of a subclass's docstring is its title.

    Attributes:
        baselines: What the rows are compared with; columns of the table.
    """

    baselines: ClassVar[tuple[str, ...]]

    def __init__(self, options: BenchOptions) -> None:
        self.options = options

    @abstractmethod
    def names(self) -> Sequence[str]:
        """Return the names of the rows."""

    @abstractmethod
    def row(self, name: str) -> Row:
        """Measure one row; whatever it raises becomes the row's error."""

    @classmethod
    def title(cls) -> str:
        """Return what the table shows."""
        return (cls.__doc__ or "").strip().splitlines()[0].rstrip(".")


BENCHMARKS: Registry[type[Benchmark]] = Registry("benchmark")
