"""Judge the scores of one dataset at a look, and write down what came of it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import pandas as pd

from harness.answering.cases import half_spacings, image_diagonals
from harness.answering.looks import digest_of_scores, record_look
from harness.answering.runs import ended_runs, run_states, whole_runs
from harness.answering.settled import digest_of_trials
from harness.answering.shown import Checkpoint
from harness.metrics import METRICS
from harness.statistics.block import Block, Unanswerable, build_block
from harness.statistics.plan import AnalysisPlan
from harness.statistics.scale import Scale, scale_of
from harness.statistics.stages import Looks, Stage
from harness.statistics.stages import judge as judge_block
from harness.statistics.undefined import patient_values
from harness.store import frames
from harness.store.database import Database
from harness.store.stages import StageRecord, record_stage
from harness.study.plan import PlannedTrial

Judge = Callable[[Block, int, Looks, float], Stage]
"""What :func:`harness.statistics.stages.judge` does."""


class OtherPlan(Exception):
    """The study's trials are not those that are to be judged: another plan of it is being run."""


@dataclass(frozen=True)
class Question:
    """What is asked of the scores of one dataset.

    Attributes:
        study: Name of the study.
        dataset: Name of the dataset in the study.
        folds: Its number of folds.
        arms: Labels of all losses, in the order of the study.
        checkpoint: The one that the protocol reports.
        plan: Metric, margins and level of the study's analysis.
        looks: When to look.
    """

    study: str
    dataset: str
    folds: int
    arms: tuple[str, ...]
    checkpoint: Checkpoint
    plan: AnalysisPlan
    looks: Looks

    @property
    def stated_margin(self) -> float | None:
        """Negligible difference of the metric on this dataset, None for the default."""
        return self.plan.margin(self.dataset, self.plan.metric)


@dataclass(frozen=True)
class Standing:
    """Where a dataset stands when a look is due.

    Attributes:
        look: From 0.
        seeds: How many seeds every loss had so far, those that were dropped included.
        alive: Losses that were not dropped, in the order of the study.
        trials: All trials so far.
    """

    look: int
    seeds: Mapping[str, int]
    alive: tuple[str, ...]
    trials: Sequence[PlannedTrial]

    @property
    def places(self) -> set[tuple[str, str]]:
        """Label and key of all trials."""
        return {(each.label, each.trial.key) for each in self.trials}


def digest_of_question(question: Question, standing: Standing) -> str:
    """Return the sha256 of all that decides what is asked at a look."""
    asked = {
        "dataset": question.dataset,
        "metric": question.plan.metric,
        "checkpoint": question.checkpoint,
        "margin": question.stated_margin,
        "seeds": question.looks.seeds,
        "alphas": question.looks.alphas,
        "look": standing.look,
        "alive": standing.alive,
        "trials": digest_of_trials(standing.places),
    }
    return sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def take_look(
    database: Database, question: Question, standing: Standing, judge: Judge = judge_block
) -> StageRecord:
    """Judge the test scores of all trials so far, and record the look and what it decided.

    Args:
        database: Where all these trials have a result.
        question: What is asked.
        standing: Where the dataset stands.
        judge: Judges a block.

    Returns:
        What stands in the database: whoever asked the same question first has the answer.

    Raises:
        OtherPlan: if some of the trials are not the study's any more.
    """
    scores, runs = _read(database, question, standing)
    stage = _judged(database, question, standing, (scores, runs), judge)
    digest = digest_of_scores(scores)
    record_look(database, question.study, digest, complete=False)
    return record_stage(
        database,
        question.study,
        StageRecord(
            question.dataset,
            standing.look,
            digest_of_question(question, standing),
            digest_of_trials(standing.places),
            digest,
            stage.outcome,
            stage.reason,
            question.looks.alphas[standing.look],
            question.looks.seeds,
            dict(standing.seeds),
            tuple(stage.dropped),
            dict(stage.wanted),
        ),
    )


def _read(database: Database, question: Question, standing: Standing) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the test scores of whole runs, of every metric, and the state of every run."""
    wanted = standing.places
    trials = frames.trials(database, question.study)
    trials = trials[(trials["dataset"] == question.dataset) & (trials["purpose"] == "study")]
    trials = _of_places(trials, wanted)
    if len(trials) < len(wanted):
        raise OtherPlan
    scores = frames.scores(
        database, question.study, dataset=question.dataset, part="test", checkpoint=question.checkpoint
    )
    runs = run_states(trials, {question.dataset: question.folds})
    return whole_runs(_of_places(scores, wanted), runs), runs


def _of_places(frame: pd.DataFrame, wanted: set[tuple[str, str]]) -> pd.DataFrame:
    """Return the rows of some trials."""
    places = frame[["label", "key"]].drop_duplicates().astype(str)
    kept = places[[place in wanted for place in places.itertuples(index=False, name=None)]]
    if len(kept) == len(places):
        return frame.reset_index(drop=True)
    chosen = set(kept.itertuples(index=False, name=None))
    rows = [place in chosen for place in zip(frame["label"], frame["key"], strict=True)]
    return frame[pd.Series(rows, index=frame.index, dtype=bool)].reset_index(drop=True)


def _judged(
    database: Database,
    question: Question,
    standing: Standing,
    found: tuple[pd.DataFrame, pd.DataFrame],
    judge: Judge,
) -> Stage:
    scores, runs = found
    metric = question.plan.metric
    own = scores[scores["metric"] == metric]
    states = ended_runs(runs)
    if own.empty:
        return Stage(standing.look, "impossible", f"no run has a test score of {metric}", (), {})
    cases = frames.cases(database, question.study)
    cases = cases[cases["dataset"] == question.dataset].drop_duplicates(["patient", "case"])
    scale = _scale(metric, half_spacings(cases)[question.dataset])
    try:
        block = build_block(
            patient_values(own.rename(columns={"label": "loss"})),
            states,
            scale,
            order=question.arms,
            worst=image_diagonals(cases)[question.dataset] if scale.log else None,
        )
        # Those that were dropped still tell how much seeds vary.
        block = block.without([loss for loss in question.arms if loss not in standing.alive])
        return judge(block, standing.look, question.looks, scale.margin(question.stated_margin))
    except Unanswerable as error:
        return Stage(standing.look, "impossible", str(error), (), {})


def _scale(metric: str, eps: float) -> Scale:
    known = METRICS[metric]
    return scale_of(metric, known.direction, known.unit, eps)
