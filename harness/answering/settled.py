"""Which datasets of a study are done with, because ``run --until-decided`` has ended there."""

import hashlib
from collections.abc import Iterable, Sequence

import pandas as pd

from harness.answering.shown import Resolved, arm_labels
from harness.store.schema import EXTERNAL
from harness.store.stages import StageRecord


def digest_of_trials(places: Iterable[tuple[str, str]]) -> str:
    """Return the sha256 of a set of trials.

    Args:
        places: Label and key of each.
    """
    return hashlib.sha256("\n".join(sorted(map("\t".join, places))).encode()).hexdigest()


def last_stages(stages: Sequence[StageRecord]) -> dict[str, StageRecord]:
    """Return the latest look of every dataset.

    Args:
        stages: In the order of time.
    """
    return {stage.dataset: stage for stage in stages}


def settled_datasets(stages: Sequence[StageRecord], own: pd.DataFrame, resolved: Resolved) -> frozenset[str]:
    """Return the datasets whose latest look ended the training there.

    A look counts only for the study as it is now: all its losses were judged, by the trials that it has.

    Args:
        stages: Of the study, in the order of time.
        own: Its current trials, searches left out.
        resolved: The study.
    """
    trained = own[own["family"] != EXTERNAL]
    return frozenset(
        dataset
        for dataset, stage in last_stages(stages).items()
        if stage.is_last
        and {*arm_labels(resolved)} <= stage.seeds.keys()
        and _trials_before(stage, trained[trained["dataset"] == dataset]) == stage.trials
    )


def _trials_before(stage: StageRecord, trials: pd.DataFrame) -> str:
    """Return the digest of those trials that were there when a look was taken."""
    places = zip(trials["label"], trials["seed"], trials["key"], strict=True)
    return digest_of_trials(
        (str(label), str(key)) for label, seed, key in places if seed < stage.seeds.get(str(label), 0)
    )
