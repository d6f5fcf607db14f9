"""Score one part of a finished trial from a file that it kept: what a worker is given."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from harness.data.prepared import open_prepared
from harness.errors import InputError
from harness.store.artifacts import file_state
from harness.training.kept import ScoredAnew, predict_again, read_masks, score_masks

ROUNDING = 1e-9
"""Difference of a DSC that means nothing."""

_MOST_DRIFT = 0.01
"""Of the mean DSC of a part that is predicted anew: another device flips a few voxels, no more."""


@dataclass(frozen=True)
class PartWork:
    """One part of a trial to score.

    Attributes:
        name: How sentences call the trial.
        part: ``test``, whose masks were kept, or ``validation``, which the network predicts again.
        file: The masks or the network.
        sha256: Of the file, when it was written.
        prepared: Folder of the dataset's cache.
        cases: Names of the cases.
        metrics: Names of registered metrics, or import paths.
        known: DSC of the masks that were scored before, by case and class; may be empty.
        device: Where a network predicts.
    """

    name: str
    part: str
    file: Path
    sha256: str
    prepared: Path
    cases: tuple[str, ...]
    metrics: tuple[str, ...]
    known: Mapping[tuple[str, int], float]
    device: str


def score_parts(works: Sequence[PartWork]) -> list[tuple[str, ScoredAnew | str]]:
    """Score the parts of one trial; where one fails, its sentence stands instead."""
    torch.set_num_threads(1)  # as in training
    found: list[tuple[str, ScoredAnew | str]] = []
    for work in works:
        try:
            found.append((work.part, _score_part(work)))
        except InputError as error:
            found.append((work.part, f"{work.name}, {work.part} cases: {error}"))
    return found


def _score_part(work: PartWork) -> ScoredAnew:
    _require_intact(work.file, work.sha256)
    prepared = open_prepared(work.prepared)
    if work.part == "test":
        masks = read_masks(work.file, work.cases)
        most = ROUNDING
    else:
        masks = predict_again(work.file, prepared, work.cases, torch.device(work.device))
        most = _MOST_DRIFT
    scored = score_masks(prepared, masks, work.metrics, work.known)
    if scored.mean_drift > most or (work.part == "test" and scored.drift > most):
        raise InputError(
            f"the masks have another DSC than the database has of them (by {scored.drift:.2g} for a case); "
            "their cache or file is that of another trial, or the network needs the machine that trained it"
        )
    return scored


def _require_intact(path: Path, sha256: str) -> None:
    state = file_state(path, sha256)
    if state == "missing":
        raise InputError(f"{str(path)!r} is not there; bring the file back, or give the --home that it is in")
    if state == "changed":
        raise InputError(
            f"{str(path)!r} is not what the trial wrote (its sha256 differs); bring the file back"
        )
