"""Made-up scores with known truth, to see how often an analysis is wrong.

The two-way layout of the crossed t: y = mean of the loss + patient + patient x loss + seed + rest, all
normal, in the size of a DSC. Nothing here was measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.block import Block, Runs, Scores
from harness.statistics.scale import Scale


@dataclass(frozen=True)
class Truth:
    """What is true in a made-up study; standard deviations in the unit of the scores.

    Attributes:
        means: Of each loss, relative to any level.
        patients: Their number.
        patient_sd: Between patients, common to all losses.
        interaction_sd: Of a patient under one loss.
        seed_sd: Between seeds of one loss, common to all patients.
        rest_sd: Of a single network on a single patient.
        seed_correlation: Between losses, of the effects of the same seed, 0..1.
        seed_spread: Standard deviation of the logarithm of the losses' seed SD: 0, all are alike.
    """

    means: tuple[float, ...] = (0.0, 0.0)
    patients: int = 50
    patient_sd: float = 0.1
    interaction_sd: float = 0.03
    seed_sd: float = 0.01
    rest_sd: float = 0.03
    seed_correlation: float = 0.0
    seed_spread: float = 0.0


def simulate(truth: Truth, seeds: int, random: np.random.Generator) -> list[Scores]:
    """Return scores ``(patients, seeds)`` of every loss."""
    losses, patients = len(truth.means), truth.patients
    patient = random.normal(0.7, truth.patient_sd, (1, patients, 1))
    interaction = random.normal(0, truth.interaction_sd, (losses, patients, 1))
    common, own = random.normal(size=(1, 1, seeds)), random.normal(size=(losses, 1, seeds))
    size = truth.seed_sd * np.exp(
        random.normal(0, truth.seed_spread, (losses, 1, 1)) if truth.seed_spread else 0
    )
    share = truth.seed_correlation
    seed = size * (np.sqrt(share) * common + np.sqrt(1 - share) * own)
    rest = random.normal(0, truth.rest_sd, (losses, patients, seeds))
    return list(np.array(truth.means)[:, None, None] + patient + interaction + seed + rest)


def block_of(
    scores: Sequence[Scores], seeds: Sequence[int] | None = None, names: Sequence[str] = ()
) -> Block:
    """Return a block of arrays, none of whose runs collapsed.

    Args:
        scores: One array for each loss.
        seeds: How many seeds of each are used, from the first; all if absent.
        names: Of the losses; ``loss 0`` ... if absent.
    """
    labels = tuple(names) or tuple(f"loss {i}" for i in range(len(scores)))
    used = [
        each[:, :number]
        for each, number in zip(scores, seeds or [each.shape[1] for each in scores], strict=True)
    ]
    return Block(
        dataset="made-up",
        metric="dsc",
        scale=Scale(),
        patients=tuple(f"patient {i}" for i in range(used[0].shape[0])),
        losses=labels,
        scores=tuple(used),
        runs={
            label: Runs(scored=tuple(range(each.shape[1]))) for label, each in zip(labels, used, strict=True)
        },
        raw=dict(zip(labels, used, strict=True)),
    )
