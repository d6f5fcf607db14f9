"""What a merge reports: rows added, fates of trials, conflicts, warnings."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.store.keys import SHOWN

TrialFate = Literal["added", "completed", "equal", "kept", "in conflict", "left out"]
"""``completed``: ours had no result, theirs has one; ``kept``: theirs has no result."""

ConflictKind = Literal["dataset", "split", "metric", "trial", "study", "place", "artifact"]


@dataclass(frozen=True)
class Conflict:
    """Two contents under one name; ours stays.

    Attributes:
        kind: What it is about.
        sentence: What differs, and what was done.
    """

    kind: ConflictKind
    sentence: str


@dataclass(frozen=True)
class MergeReport:
    """What a merge did, or would do.

    Attributes:
        added: Rows added, by table; tables without one are absent.
        trials: Their trials, by what happened to them.
        conflicts: Where ours stayed although theirs is another.
        warnings: What the user should know besides.
    """

    added: Mapping[str, int]
    trials: Mapping[TrialFate, int]
    conflicts: tuple[Conflict, ...]
    warnings: tuple[str, ...]

    @property
    def changed(self) -> bool:
        """Whether anything was added or completed."""
        return bool(sum(self.added.values()) or self.trials.get("completed"))


@dataclass
class Findings:
    """Gathers a report while a merge runs."""

    added: Counter[str] = field(default_factory=Counter)
    trials: Counter[TrialFate] = field(default_factory=Counter)
    conflicts: list[Conflict] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def conflict(self, kind: ConflictKind, sentence: str) -> None:
        """Note a conflict."""
        self.conflicts.append(Conflict(kind, sentence))

    def report(self) -> MergeReport:
        """Return what was gathered."""
        return MergeReport(
            added={table: rows for table, rows in self.added.items() if rows},
            trials=dict(self.trials),
            conflicts=tuple(self.conflicts),
            warnings=tuple(self.warnings),
        )


def short(key: str) -> str:
    """Return the beginning of a key, in quotes."""
    return repr(key[:SHOWN])
