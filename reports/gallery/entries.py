"""What the files of a report tell about it."""

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import quote

from harness.statistics.wording import title_of

REPORT, COMPARISON, DECISION = "report.html", "compare.html", "decision.json"
_HEADLINE = "mcb_forest"
"""How the file of figure F4 begins, one file per dataset."""

_POLICY = "depends on the policy for undefined values"
"""How a verdict says that another policy would give another one; such sentences come first in it."""

_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_MAKER = " – lossbench"
_HEAD_BYTES = 20_000
"""Within which the title of a page stands."""


@dataclass(frozen=True)
class Entry:
    """A report or a comparison in a folder.

    Attributes:
        address: Link to its page, relative to the index.
        folder: Its folder, relative to the index.
        title: Of the page.
        datasets: Their names; empty if nothing is known of them.
        losses: Number of losses.
        seeds: Fewest and most runs of use of a loss.
        metric: Title of the primary metric.
        verdict: Its first sentences, or why there is none.
        warnings: How many things have to be known before believing it.
        picture: PNG file of its headline figure; None without one.
    """

    address: str
    folder: str
    title: str
    datasets: tuple[str, ...] = ()
    losses: int = 0
    seeds: tuple[int, int] | None = None
    metric: str = ""
    verdict: str = ""
    warnings: int = 0
    picture: Path | None = None

    @property
    def seed_words(self) -> str:
        """The number of seeds in words."""
        if self.seeds is None:
            return "–"
        low, high = self.seeds
        return str(high) if low == high else f"{low} to {high}"


def reports_below(folder: Path) -> list[Entry]:
    """Return the reports below a folder, by their place in it."""
    return [_report(path, folder) for path in _pages(folder, REPORT)]


def comparisons_below(folder: Path) -> list[Entry]:
    """Return the comparisons below a folder, by their place in it."""
    return [
        Entry(_address(path, folder), _relative(path.parent, folder), _title(path))
        for path in _pages(folder, COMPARISON)
    ]


def _pages(folder: Path, name: str) -> list[Path]:
    # rglob follows no links to folders; a page of the same name that is not ours is no report.
    found = (path for path in folder.rglob(name) if path.is_file() and _title(path))
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _report(page: Path, folder: Path) -> Entry:
    place = _address(page, folder), _relative(page.parent, folder), _title(page)
    pictures = sorted((page.parent / "figures").glob(f"{_HEADLINE}*.png"))
    picture = pictures[0] if pictures else None
    path = page.parent / DECISION
    if not path.is_file():
        return Entry(*place, verdict="No answer: the study had no scores that allow one.", picture=picture)
    try:
        return _decided(place, json.loads(path.read_text(encoding="utf-8")), picture)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        return Entry(*place, verdict=f"{DECISION} beside the page cannot be read.", picture=picture)


def _decided(place: tuple[str, str, str], decision: dict[str, Any], picture: Path | None) -> Entry:
    datasets = decision["datasets"]
    rows = [row for each in datasets for row in each["metrics"][0]["table"]]
    seeds = [int(row["seeds"]) for row in rows]
    return Entry(
        *place,
        datasets=tuple(str(each["dataset"]) for each in datasets),
        losses=len({row["loss"] for row in rows}),
        seeds=(min(seeds), max(seeds)) if seeds else None,
        metric=title_of(str(decision["metric"])),
        verdict=_first(decision["verdict"]),
        warnings=len(decision["warnings"]),
        picture=picture,
    )


def _first(verdict: Sequence[str]) -> str:
    """Return the sentence that recommends, and that it hangs on a policy where the verdict says so first."""
    if not verdict:
        return "No verdict."
    advice = next((each for each in verdict if _POLICY not in each), verdict[0])
    hangs = any(_POLICY in each for each in verdict) and _POLICY not in advice
    return f"{advice} It depends on the policy for undefined values." if hangs else advice


def _title(page: Path) -> str:
    """Return the title of a page of ours, empty if it is another's."""
    with page.open(encoding="utf-8", errors="replace") as stream:
        found = _TITLE.search(stream.read(_HEAD_BYTES))
    title = html.unescape(found[1]).strip() if found else ""
    return title.removesuffix(_MAKER) if title.endswith(_MAKER) else ""


def _relative(path: Path, folder: Path) -> str:
    return PurePosixPath(path.relative_to(folder)).as_posix()


def _address(page: Path, folder: Path) -> str:
    return quote(_relative(page, folder))
