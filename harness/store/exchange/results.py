"""Compare two results of one trial: state, best validation DSC, every score."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from harness.store.exchange.findings import short
from harness.store.exchange.keyed import Ends, Ids, add_rows
from harness.store.schema import MetricRow, ScoreRow, TrialRow

_Place = tuple[int, int, int, str]
"""Metric, case, class, checkpoint, with our ids."""

_Scores = Mapping[_Place, tuple[str, float | None, float, str | None]]
"""Part, value, imputed value and reason by place."""

_Block = tuple[int, str, str]
"""Metric, checkpoint and part: what is scored together, and so compared or added together."""


@dataclass(frozen=True)
class _ScoreDifference:
    """How the scores of metrics that both have differ.

    Attributes:
        differing: Scores that differ or that one side lacks.
        compared: Scores on either side, of metrics that both have for a checkpoint and part.
        largest: Largest difference of imputed values.
        metric: Our id of the metric with the largest difference; None if only rows are missing.
    """

    differing: int
    compared: int
    largest: float
    metric: int | None


def compare_results(ends: Ends, trials: Mapping[int, int], cases: Ids, metrics: Ids) -> list[int]:
    """Compare finished trials of both sides.

    Scores of metrics that ours lacks, or lacks for a checkpoint or part, are added to equal trials; a
    difference is reported as a conflict.

    Args:
        ends: Both databases.
        trials: Our id by theirs.
        cases: Our id of a case by theirs.
        metrics: Our id of a metric by theirs.

    Returns:
        Their ids of the equal ones.
    """
    ours = _trials(ends.ours, list(trials.values()))
    theirs = _trials(ends.theirs, list(trials))
    our_scores = _scores(ends.ours, list(trials.values()))
    their_scores = _scores(ends.theirs, list(trials), cases, metrics)
    equal, missing = [], []
    for there, here in trials.items():
        found, kept = their_scores.get(there, {}), our_scores.get(here, {})
        known = {_block(place, row) for place, row in kept.items()}
        added = {place: row for place, row in found.items() if _block(place, row) not in known}
        difference = _difference(kept, {place: found[place] for place in found.keys() - added.keys()})
        facts = [_fact_difference(name, ours[here], theirs[there]) for name in ("state", "best_val_dsc")]
        if difference.differing or any(facts):
            _report(ends, ours[here], theirs[there], facts, difference)
            continue
        equal.append(there)
        missing += [_row(here, place, values) for place, values in added.items()]
    add_rows(ends, ScoreRow, missing)
    return equal


def _trials(connection: Connection, ids: list[int]) -> dict[int, Any]:
    question = select(
        TrialRow.id, TrialRow.key, TrialRow.state, TrialRow.best_val_dsc, TrialRow.numerics
    ).where(TrialRow.id.in_(ids))
    return {row.id: row for row in connection.execute(question)}


def _scores(
    connection: Connection, trials: list[int], cases: Ids | None = None, metrics: Ids | None = None
) -> Mapping[int, _Scores]:
    """Return scores by trial; maps translate their ids, and rows they lack are left out."""
    question = select(
        ScoreRow.trial_id,
        ScoreRow.metric_id,
        ScoreRow.case_id,
        ScoreRow.class_index,
        ScoreRow.checkpoint,
        ScoreRow.part,
        ScoreRow.value,
        ScoreRow.imputed,
        ScoreRow.reason,
    ).where(ScoreRow.trial_id.in_(trials))
    found: dict[int, dict[_Place, tuple[str, float | None, float, str | None]]] = defaultdict(dict)
    for row in connection.execute(question):
        trial, metric, case, class_index, checkpoint, part, value, imputed, reason = row
        here: int | None = metric if metrics is None else metrics.get(metric)
        who: int | None = case if cases is None else cases.get(case)
        if here is not None and who is not None:
            found[trial][here, who, class_index, checkpoint] = (part, value, imputed, reason)
    return found


def _difference(ours: _Scores, theirs: _Scores) -> _ScoreDifference:
    blocks = {_block(place, row) for place, row in theirs.items()}
    compared = {place for place, row in ours.items() if _block(place, row) in blocks} | theirs.keys()
    differing = sorted(place for place in compared if ours.get(place) != theirs.get(place))
    largest, metric = 0.0, None
    for place in differing:
        if place in ours and place in theirs:
            gap = abs(ours[place][2] - theirs[place][2])
            if metric is None or gap > largest:
                largest, metric = gap, place[0]
    return _ScoreDifference(len(differing), len(compared), largest, metric)


def _block(place: _Place, row: tuple[str, float | None, float, str | None]) -> _Block:
    return place[0], place[3], row[0]


def _fact_difference(name: str, ours: Any, theirs: Any) -> str:
    here, there = getattr(ours, name), getattr(theirs, name)
    return "" if here == there else f"{name} {here} here and {there} there"


def _report(ends: Ends, ours: Any, theirs: Any, facts: list[str], difference: _ScoreDifference) -> None:
    words = [fact for fact in facts if fact]
    if difference.differing:
        words.append(_in_words(ends, difference))
    ends.findings.conflict(
        "trial", f"trial {short(ours.key)}: {', '.join(words)}; {_numerics(ours, theirs)}; ours stays"
    )


def _in_words(ends: Ends, difference: _ScoreDifference) -> str:
    sentence = f"{difference.differing} of {difference.compared} scores differ"
    if difference.metric is None:
        return sentence
    name = ends.ours.scalar(select(MetricRow.name).where(MetricRow.id == difference.metric))
    return f"{sentence}, most in {name!r}: by {difference.largest:.3g}"


def _numerics(ours: Any, theirs: Any) -> str:
    if ours.numerics != theirs.numerics:
        return (
            f"expected, for the numerics class is {ours.numerics or 'unknown'} here and "
            f"{theirs.numerics or 'unknown'} there"
        )
    if ours.numerics is None:
        return "the numerics class is unknown"
    return f"not expected, for both have the numerics class {ours.numerics}"


def _row(trial: int, place: _Place, values: tuple[str, float | None, float, str | None]) -> dict[str, Any]:
    metric, case, class_index, checkpoint = place
    part, value, imputed, reason = values
    return {
        "trial_id": trial,
        "case_id": case,
        "class_index": class_index,
        "metric_id": metric,
        "checkpoint": checkpoint,
        "part": part,
        "value": value,
        "imputed": imputed,
        "reason": reason,
    }
