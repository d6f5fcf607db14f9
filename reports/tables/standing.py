"""Dagger and star of the main table: which losses may be the best, and which are safe to take."""

from collections.abc import Iterator, Mapping, Sequence

from harness.statistics.cell import CellAnswer
from harness.statistics.wording import margin_words, title_of
from reports.results import StudyResults
from reports.tables.notes import BOLD, listing

POSSIBLY_BEST = "†"
SAFE = "★"


def standings(results: StudyResults) -> Mapping[tuple[str, str], Mapping[str, str]]:
    """Return the symbols of the losses, by dataset and metric, where losses were compared."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for cell in _compared(results):
        best = cell.comparison.best if cell.comparison else None
        if best is not None:
            symbols = zip(best.losses, best.possibly_best, best.safe, strict=True)
            found[cell.block.dataset, cell.block.metric] = {
                loss: (POSSIBLY_BEST if possible else "") + (SAFE if safe else "")
                for loss, possible, safe in symbols
            }
    return found


def inference_notes(results: StudyResults, datasets: Sequence[str]) -> list[str]:
    """Say what bold, dagger and star are, and by which procedure losses got them.

    Args:
        results: Of the study.
        datasets: Those that are shown.
    """
    if results.answer is None:
        why = f": {results.no_answer}" if results.no_answer else ""
        return [f"{BOLD}, and no inference was made here{why}."]
    cells = [cell for cell in _compared(results) if cell.block.dataset in datasets]
    silent = [
        f"{each.dataset} ({each.primary.recommendation.why})"
        for each in results.answer.datasets
        if each.dataset in datasets and each.primary.comparison is None
    ]
    without = [f"No inference was made on {listing(silent)}."] if silent else []
    if not cells:
        return [f"{BOLD}.", *without]
    return [f"{BOLD}; {POSSIBLY_BEST} and {SAFE} come from one.", *_procedure(cells), *without]


def _procedure(cells: Sequence[CellAnswer]) -> Iterator[str]:
    metrics = list(dict.fromkeys(cell.block.metric for cell in cells))
    titles = listing([title_of(metric) for metric in metrics])
    yield (
        f"{POSSIBLY_BEST}: that the loss is the best of its dataset in {titles} is not excluded. {SAFE}: it "
        f"is proven to be within the margin of the best, or the best, and none of its runs collapsed. A loss "
        f"without {POSSIBLY_BEST} is proven worse than the best, or has fewer than two runs of use."
    )
    margins = list(dict.fromkeys(_margin(cell) for cell in cells))
    levels = listing(list(dict.fromkeys(f"{cell.asked.alpha:.3g}" for cell in cells)))
    logs = listing([title_of(each) for each in metrics if _logarithmic(cells, each)])
    ratio = f" {logs} is compared by its logarithm, that is by ratios." if logs else ""
    yield (
        "Procedure: multiple comparisons with the best (Hsu, Ann. Statist. 9:1026, 1981) over patients and "
        "seeds, per protocol (without collapsed runs, which the means do contain). Every pair is compared by "
        "a t test with crossed variances of patients and seeds, one-sided at alpha / (losses − 1), with "
        "seed variances moderated over losses; a false claim of either kind has a probability of at most "
        f"alpha = {levels} on each dataset and metric. Margins: {'; '.join(margins)}.{ratio}"
    )


def _compared(results: StudyResults) -> list[CellAnswer]:
    if results.answer is None:
        return []
    return [cell for each in results.answer.datasets for cell in each.cells if cell.comparison is not None]


def _margin(cell: CellAnswer) -> str:
    return f"{title_of(cell.block.metric)} {margin_words(cell.block.scale, cell.asked.margin)}"


def _logarithmic(cells: Sequence[CellAnswer], metric: str) -> bool:
    return any(cell.block.scale.log for cell in cells if cell.block.metric == metric)
