"""What stands above figures and tables of one code, and where they stand on the page."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from reports.codes import code_order

_FIGURES = {
    "F1": "Learning curves",
    "F2": "Scores of all cases",
    "F3": "Differences from the reference",
    "F4": "Comparisons with the best",
    "F5": "Ranks",
    "F6": "All pairs",
    "F7": "Critical differences",
    "F8": "Where the variance comes from",
    "F9": "Seeds and patients that would settle it",
    "F10": "Overlap against boundary",
    "F11": "Performance profiles",
    "F12": "What tuning buys",
    "F13": "Losses by dataset",
    "F14": "Does the ranking hold?",
    "F15": "Which patients?",
    "F16": "Predictions",
    "F17": "False claims",
    "F18": "Gradients",
}
_TABLES = {
    "T1": "Scores",
    "T2": "Verdict",
    "T3": "Against the reference",
    "T4": "Tuning",
    "T5": "Datasets",
    "T6": "Undefined values and collapses",
    "T7": "Planning",
    "S1": "By class",
    "S2": "All metrics",
    "S3": "Policies for undefined values",
    "S4": "Both checkpoints",
    "S5": "All pairs",
    "S6": "Claims",
    "S7": "Relative changes",
}
_SUPPLEMENT = "Supplement"

Item = TypeVar("Item")


@dataclass(frozen=True)
class Group(Generic[Item]):
    """Figures or tables of one code.

    Attributes:
        code: Theirs.
        title: In a few words.
        items: In order.
    """

    code: str
    title: str
    items: list[Item]

    @property
    def supplement(self) -> bool:
        """Whether it stands behind the others, folded."""
        return _is_supplement(self.code)


def table_title(code: str) -> str:
    """Return what stands above the tables of a code."""
    return _TABLES.get(code, _SUPPLEMENT)


def figure_title(code: str) -> str:
    """Return what stands above the figures of a code."""
    return _FIGURES.get(code, _SUPPLEMENT)


def grouped(
    items: Iterable[Item], code: Callable[[Item], str], title: Callable[[str], str]
) -> list[Group[Item]]:
    """Return items by code, supplements behind all others.

    >>> [(group.title, group.items) for group in grouped(["T1", "T1"], str, table_title)]
    [('Scores', ['T1', 'T1'])]
    """
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(code(item), []).append(item)
    order = sorted(found, key=lambda each: (_is_supplement(each), code_order(each)))
    return [Group(each, title(each), found[each]) for each in order]


def _is_supplement(code: str) -> bool:
    return "S" in code
