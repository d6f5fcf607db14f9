"""Draw and write many figures, one after another or by several processes."""

import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.data.parallel import run_each, usable_cores
from reports.figures.journals import active_journal, journal
from reports.figures.registry import FIGURES, FigureEntry, NothingToDraw
from reports.figures.save import SavedFigure, save
from reports.results import StudyResults

_CELLS_PER_PROCESS = 30
"""Losses times datasets whose figures take as long as a process needs to start."""

_MOST_PROCESSES = 8
"""Each holds the results, and figures take half a gigabyte."""


@dataclass(frozen=True)
class _Saved:
    """What became of one entry: its figures, or why there are none."""

    figures: tuple[SavedFigure, ...] = ()
    skipped: str = ""


def save_figures(
    results: StudyResults,
    folder: Path,
    entries: Sequence[FigureEntry],
    tell: Callable[[str], None] = lambda _: None,
    workers: int = 1,
) -> tuple[list[SavedFigure], list[str]]:
    """Draw and write figures; the files are the same however many processes draw.

    Args:
        results: Of the study.
        folder: To write into; made if absent.
        entries: Which figures, in their order.
        tell: Is called with what is being drawn.
        workers: Processes. With several the caller must be importable, as for
            :func:`harness.data.parallel.run_each`.

    Returns:
        The figures, and a sentence for each that has nothing to draw.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[int, _Saved] = {}
    tell(f"drawing {len(entries)} figures")
    with _handed_over(results, min(workers, len(entries))) as source:
        jobs = {
            number: (source, entry.name, folder, active_journal()) for number, entry in enumerate(entries)
        }
        for number, saved in run_each(_save_entry, jobs, workers):
            found[number] = saved
            tell(f"drawing figures, {len(found)} of {len(entries)} done")
    ordered = [found[number] for number in sorted(found)]
    return [each for saved in ordered for each in saved.figures], [
        saved.skipped for saved in ordered if saved.skipped
    ]


def worthwhile_processes(results: StudyResults) -> int:
    """Return how many processes are worth starting to draw the figures of a study."""
    cells = len(results.losses) * len(results.datasets)
    return max(1, min(cells // _CELLS_PER_PROCESS, usable_cores(), _MOST_PROCESSES))


@contextmanager
def _handed_over(results: StudyResults, workers: int) -> Iterator[StudyResults | Path]:
    """Give what processes take the results from: a file, so that each reads them once, not once a figure."""
    if workers < 2:
        yield results
        return
    with TemporaryDirectory(prefix="lossbench-figures-") as folder:
        file = Path(folder) / "results.pickle"
        with file.open("wb") as stream:
            pickle.dump(results, stream, protocol=pickle.HIGHEST_PROTOCOL)
        yield file


@lru_cache(maxsize=1)
def _taken(file: Path) -> StudyResults:
    with file.open("rb") as stream:
        results: StudyResults = pickle.load(stream)
    return results


def _save_entry(source: StudyResults | Path, name: str, folder: Path, style: str) -> _Saved:
    import reports.figures  # noqa: F401 - a process of its own knows no figure yet

    results = _taken(source) if isinstance(source, Path) else source
    entry = FIGURES[name]
    with journal(style):
        try:
            drawings = entry.draw(results)
        except NothingToDraw as reason:
            return _Saved(skipped=str(reason))
        saved = []
        for drawing in drawings:
            saved.append(save(drawing, folder, entry.code))
            drawing.figure.clear()  # dozens of figures are a gigabyte
    return _Saved(tuple(saved))
