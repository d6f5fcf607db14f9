"""What may be shown of a study: which part, which checkpoint, how much of its plan is there."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from harness.store.schema import EXTERNAL, FINAL_STATES
from harness.study.row_labels import variant_labels

Part = Literal["validation", "test"]
Checkpoint = Literal["best", "last"]
Resolved = Mapping[str, Any]
"""A study as the database keeps it, with all defaults filled in."""


@dataclass(frozen=True)
class Progress:
    """How much of the plan is there, in trials."""

    planned: int
    finished: int
    failed: int

    @property
    def complete(self) -> bool:
        """Whether every planned trial is done or diverged."""
        return self.finished >= self.planned


def part_of(resolved: Resolved, complete: bool, peek: bool) -> Part:
    """Return the cases that may be shown: test cases once the study is complete, or if somebody peeks."""
    if peek:
        return "test"
    asked = "validation" if resolved.get("evaluation") == "validation" else "test"
    return "test" if asked == "test" and complete else "validation"


def checkpoint_of(resolved: Resolved) -> Checkpoint:
    """Return the checkpoint that the protocol reports."""
    return "last" if resolved.get("protocol", {}).get("checkpoint") == "last" else "best"


def split_of(trials: pd.DataFrame, dataset: str) -> Mapping[str, Any]:
    """Return the split, from the canonical form of any of the dataset's trials that were trained."""
    forms = trials.loc[trials["dataset"] == dataset, "canonical"]
    return next((form["split"] for form in forms if "split" in form), {})


def folds_of(split: Mapping[str, Any]) -> int:
    """Return the number of folds of a split in canonical form."""
    return int(split.get("k", 1)) if split.get("kind") == "kfold" else 1


def progress_of(
    own: pd.DataFrame, resolved: Resolved, folds: Mapping[str, int], settled: Collection[str] = ()
) -> Progress:
    """Return how much of the plan is there.

    Args:
        own: The study's own trials, searches left out.
        resolved: The study.
        folds: Number of folds by dataset.
        settled: Datasets on which ``run --until-decided`` has ended; there the plan is what it trained.
    """
    runs = seeds_of(resolved, own) * len(arm_labels(resolved))
    unseen = max(0, len(resolved.get("datasets", ())) - len(folds))
    if (resolved.get("only") or {}).get("folds") is not None:
        unseen = 0  # left out, because it has none of these folds
    external = own["family"] == EXTERNAL
    there = own.loc[~external, "dataset"].value_counts()
    full = {
        dataset: int(there.get(dataset, 0)) if dataset in settled else runs * _chosen(resolved, "folds", k)
        for dataset, k in folds.items()
    }
    planned = sum(full.values()) + runs * unseen
    return Progress(
        planned=max(planned, int(there.sum())) + int(external.sum()),
        finished=int(own["state"].isin(FINAL_STATES).sum()),
        failed=int((own["state"] == "failed").sum()),
    )


def seeds_of(resolved: Resolved, trials: pd.DataFrame) -> int:
    """Number of seeds asked for; a study in parts (``only``) asks for those of all parts that are here."""
    asked = int(resolved.get("seeds", 1))
    chosen = _chosen(resolved, "seeds", asked)
    return asked if chosen == asked else min(asked, max(chosen, trials["seed"].nunique()))


def arm_labels(resolved: Resolved) -> tuple[str, ...]:
    """Return the labels of a study in its order: a loss, its variants, its tuned arm."""
    tuned = (resolved.get("tuning") or {}).get("losses") or ()
    found: list[str] = []
    for entry in resolved.get("losses", ()):
        label = str(entry.get("label"))
        found += [label, *variant_labels(resolved, entry)]
        if entry.get("alpha") != "tune" and (tuned == "all" or label in tuned):
            found.append(f"{label} (tuned)")
    return tuple(found)


def dataset_order(trials: pd.DataFrame, resolved: Resolved) -> tuple[str, ...]:
    """Return the datasets that have trials, in the order of the study."""
    declared = declared_datasets(resolved)

    def place(name: str) -> tuple[int, str]:
        plain = name.removesuffix("-sim")
        found = [index for index, entry in enumerate(declared) if entry in {name, plain}]
        return (found[0] if found else len(declared), name)

    return tuple(sorted(set(trials["dataset"]), key=place))


def declared_datasets(resolved: Resolved) -> list[str]:
    """Return the datasets as the study names them."""
    return [
        entry if isinstance(entry, str) else str(entry.get("dataset", ""))
        for entry in resolved.get("datasets", ())
    ]


def _chosen(resolved: Resolved, what: str, known: int) -> int:
    """Number of seeds or folds below ``known`` that the study trains."""
    only = (resolved.get("only") or {}).get(what)
    return known if only is None else len({*only} & {*range(known)})
