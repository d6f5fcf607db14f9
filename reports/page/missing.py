"""What an unfinished study lacks, in sentences."""

from collections.abc import Iterator

import pandas as pd

from harness.answering.shown import arm_labels, declared_datasets
from harness.statistics.wording import MOST_NAMES, names
from harness.store.privacy import without_paths
from reports.results import StudyResults


def missing(results: StudyResults) -> list[tuple[str, tuple[str, ...]]]:
    """Return sentences about what is missing, by dataset; nothing of a complete study."""
    if results.progress.complete:
        return []
    found = [(dataset, tuple(_of_dataset(results, dataset))) for dataset in results.datasets]
    seen = {name.removesuffix("-sim") for name in results.datasets}
    absent = [
        name
        for name in declared_datasets(results.document.resolved)
        if without_paths(name).removesuffix(".yaml") not in seen and name.removesuffix("-sim") not in seen
    ]
    nothing = ("Nothing has been planned or trained there yet.",)
    return [
        *((dataset, sentences) for dataset, sentences in found if sentences),
        *((without_paths(name), nothing) for name in absent),
    ]


def metrics_that_trials_lack(results: StudyResults) -> str:
    """Return a sentence on metrics that only some of the shown trials have, or none of one of the main table.

    That is so after a metric was added, or its version raised; empty if there is no such metric.
    """
    trial = ["dataset", "label", "seed", "fold"]
    shown = results.scores[["metric", *trial]].drop_duplicates()
    trials = len(shown[trial].drop_duplicates()) or int(results.runs["scored"].sum())
    counts = shown["metric"].astype(str).value_counts()
    titles = results.metrics.set_index("name")["title"]
    lacking = {
        str(title): int(counts.get(name, 0))
        for name, title in titles.items()
        if counts.get(name, 0) < trials and (name in counts or name in results.main_metrics())
    }
    if not lacking:
        return ""
    told = names([f"{title} ({have} of {trials} trials)" for title, have in lacking.items()])
    return (
        f"Metrics that not all trials have, for they are newer or have a new version: {told}. "
        f"'lossbench evaluate {results.document.name}' computes them; nothing is trained."
    )


def _of_dataset(results: StudyResults, dataset: str) -> Iterator[str]:
    runs = results.runs[results.runs["dataset"] == dataset]
    ended = runs.loc[runs["scored"] | runs["diverged"], "label"].astype(str).value_counts()
    planned = _planned(results, runs)
    lacking = {label: max(0, count - int(ended.get(label, 0))) for label, count in planned.items()}
    if not any(lacking.values()):
        return
    yield f"{sum(lacking.values())} of {sum(planned.values())} runs (one loss with one seed) are missing."
    groups: dict[tuple[int, int], list[str]] = {}
    for label, lack in lacking.items():
        if lack:
            groups.setdefault((planned[label] - lack, planned[label]), []).append(label)
    for (have, count), labels in sorted(groups.items()):
        number = f"{have} of {count}" if have else "No"
        yield f"{number} seed{'s' if count > 1 else ''} finished of {names(labels)}."
    failed = runs[runs["failed"]]
    if len(failed):
        told = [f"{label}, seed {seed}" for label, seed in zip(failed["label"], failed["seed"], strict=True)]
        yield f"Failed on the machine: {'; '.join(told[:MOST_NAMES])}{_more(len(told) - MOST_NAMES)}."


def _more(number: int) -> str:
    return f" and {number} more" if number > 0 else ""


def _planned(results: StudyResults, runs: pd.DataFrame) -> dict[str, int]:
    """Return how many runs each loss is to have: its seeds, or those registered where these are others."""
    registered = runs["label"].astype(str).value_counts()
    settled = set(runs["dataset"].astype(str)) <= results.settled
    declared = () if settled else arm_labels(results.document.resolved)
    others = {
        str(label): int(count) for label, count in registered.sort_index().items() if label not in declared
    }
    return dict.fromkeys(declared, results.seeds) | others
