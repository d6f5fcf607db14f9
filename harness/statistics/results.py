"""What an answer is computed from: scores and states of runs, from a database or from anyone's file."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from harness.statistics.block import Block, Unanswerable, build_block
from harness.statistics.plan import AnalysisPlan, Contrast
from harness.statistics.recommendation import Costs
from harness.statistics.scale import EPS_MM, Scale, scale_of
from harness.statistics.undefined import patient_values, scale_under, undefined_counts


@dataclass(frozen=True)
class Results:
    """Scores of losses.

    Attributes:
        scores: Columns dataset, loss, seed, patient, case, metric, value (NaN where undefined); where present
            class_index, unit, direction, imputed, reason.
        states: Columns dataset, loss, seed, state (``scored``, ``collapsed``, ``diverged``, ``failed``).
        losses: In the order of every table.
        plan: What is asked.
        checkpoint: Whose scores these are.
        other_checkpoints: Scores of others, by name, for the robustness of the answer.
        worst: Image diagonal in mm, by dataset and patient; for diverged runs.
        eps: Half the smallest pixel spacing in mm, by dataset.
        costs: Seconds and hyper-parameters of the losses, by dataset.
        contrasts: Claims of the study and built-in ones.
        dropped: By dataset, losses that an earlier look proved inferior, with the words for it.
        alphas: Level of the last look, of datasets with a plan of looks of their own.
        patients: Columns dataset, patient and descriptors of the ground truth.
        notes: Warnings of whoever gave the scores.
    """

    scores: pd.DataFrame = field(repr=False)
    states: pd.DataFrame = field(repr=False)
    losses: tuple[str, ...]
    plan: AnalysisPlan = field(default_factory=AnalysisPlan)
    checkpoint: str = "best"
    other_checkpoints: Mapping[str, pd.DataFrame] = field(default_factory=dict, repr=False)
    worst: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    eps: Mapping[str, float] = field(default_factory=dict)
    costs: Mapping[str, Costs] = field(default_factory=dict)
    contrasts: tuple[Contrast, ...] = ()
    dropped: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    alphas: Mapping[str, float] = field(default_factory=dict)
    patients: pd.DataFrame | None = field(default=None, repr=False)
    notes: tuple[str, ...] = ()

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names, in the order of the scores."""
        return tuple(map(str, _distinct(self.scores["dataset"])))

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names, in the order of the scores."""
        return tuple(map(str, _distinct(self.scores["metric"])))

    def alpha(self, dataset: str) -> float:
        """Return the level of a look at a dataset."""
        return self.alphas.get(dataset, self.plan.alpha_look)

    def cell(self, dataset: str, metric: str, checkpoint: str | None = None) -> "CellScores":
        """Return the scores of one metric on one dataset, read once for all policies.

        Raises:
            Unanswerable: if there are none.
        """
        source = (
            self.scores if checkpoint in {None, self.checkpoint} else self.other_checkpoints[str(checkpoint)]
        )
        wanted = (source["dataset"] == dataset).to_numpy() & (source["metric"] == metric).to_numpy()
        rows = source[wanted]
        states = self.states[(self.states["dataset"] == dataset).to_numpy()]
        if rows.empty:
            raise Unanswerable(
                f"dataset {dataset!r} has no score of {metric!r}; it has {', '.join(self.metrics)}"
            )
        first = rows.iloc[0]
        direction, unit = (str(first[name]) if name in rows else None for name in ("direction", "unit"))
        eps = self.eps.get(dataset, EPS_MM)
        scale = scale_of(
            metric, "lower" if direction == "lower" else "higher" if direction else None, unit, eps
        )
        return CellScores(rows, states, scale, self.losses, self.worst.get(dataset) if scale.log else None)


@dataclass(frozen=True)
class CellScores:
    """Scores of one metric on one dataset, and how to make a block of them.

    Attributes:
        rows: The scores.
        states: Of the runs on the dataset.
        scale: Of the metric.
        losses: In order.
        worst: Raw value of a diverged run by patient, or None.
    """

    rows: pd.DataFrame = field(repr=False)
    states: pd.DataFrame = field(repr=False)
    scale: Scale
    losses: tuple[str, ...]
    worst: Mapping[str, float] | None = field(repr=False)

    @property
    def undefined(self) -> dict[str, int]:
        """Number of undefined values by loss, of those that have any."""
        counts = undefined_counts(self.rows)
        some = counts[counts["undefined"] > 0]
        return {str(loss): int(number) for loss, number in zip(some["loss"], some["undefined"], strict=True)}

    def block(self, policy: str = "worst") -> Block:
        """Return the block under a policy for undefined values.

        Raises:
            Unanswerable: if runs differ in patients, or the policy leaves nothing.
        """
        values = patient_values(self.rows, policy, states=self.states)
        values = values[values["metric"] == values["metric"].iloc[0]]
        metric = str(values["metric"].iloc[0])
        worst = self.worst if policy == "worst" else None
        return build_block(
            values, self.states, scale_under(policy, metric, self.scale), order=self.losses, worst=worst
        )


def _distinct(column: "pd.Series[str]") -> list[str]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes = column.cat.codes.to_numpy()
        seen, first = np.unique(codes, return_index=True)
        return [str(column.cat.categories[code]) for code in seen[np.argsort(first)] if code >= 0]
    return [str(name) for name in column.drop_duplicates()]
