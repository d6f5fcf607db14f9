"""Merge studies: their texts, the places of trials in them, looks at test scores and what these decided."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Row, select, update

from harness.store.exchange.keyed import Ends, Ids, add_rows, join_by_key
from harness.store.schema import LookRow, StageRow, StudyRow, StudyTrialRow, TrialRow

_PLACE = ("dataset", "label", "seed", "fold")
_QUESTIONS = ("analysis", "contrasts")
"""Keys of a study that say what is asked of its scores, not what is trained; older studies have none."""


def merge_studies(ends: Ends, trials: Ids) -> None:
    """Add studies that ours lacks, and their places and looks to those that both have.

    Args:
        ends: Both databases.
        trials: Our id of a trial by theirs.
    """
    before = _texts(ends.ours)
    studies = join_by_key(ends, StudyRow, ("name",))
    joined, other = _compare_texts(ends, before)
    _merge_places(ends, studies, trials, other)
    for name in joined:
        _describe_again(ends, name)
    join_by_key(ends, LookRow, ("study_id", "digest"), {"study_id": studies})
    join_by_key(ends, StageRow, ("study_id", "question"), {"study_id": studies})


def _texts(connection: Connection) -> dict[str, Any]:
    return {row.name: row.resolved for row in connection.execute(select(StudyRow.name, StudyRow.resolved))}


def _compare_texts(ends: Ends, ours: Mapping[str, Any]) -> tuple[set[str], set[str]]:
    """Return the studies without training whose texts are joined, and those with another text there."""
    joined, other = set(), set()
    for name, theirs in sorted(_texts(ends.theirs).items()):
        if name not in ours or ours[name] == theirs:
            continue
        if _trained(ours[name]) == _trained(theirs):
            _unite_parts(ends, name, ours[name], theirs)
            if other_questions := [key for key in _QUESTIONS if _differ(ours[name], theirs, key)]:
                ends.findings.conflict(
                    "study",
                    f"study {name!r} asks another question there (it differs in "
                    f"{', '.join(map(repr, other_questions))}); ours stays",
                )
            continue
        if _trains_nothing(ours[name]) and _trains_nothing(theirs):
            joined.add(name)
            continue
        other.add(name)
        ends.findings.conflict(
            "study",
            f"study {name!r} has another text there (it differs in {_changed(ours[name], theirs)}); ours "
            "stays, and its trials there come in, but not as current",
        )
    return joined, other


def _trained(resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Return the text of a study without ``only``, what a machine trains of it, and its questions."""
    return {key: value for key, value in resolved.items() if key not in {"only", *_QUESTIONS}}


def _differ(ours: Mapping[str, Any], theirs: Mapping[str, Any], key: str) -> bool:
    """Whether both have a key, and not the same under it."""
    return key in ours and key in theirs and bool(ours[key] != theirs[key])


def _unite_parts(ends: Ends, name: str, ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Let a study hold the seeds and folds of both; None stands for all."""
    here, there = ours.get("only") or {}, theirs.get("only") or {}
    only = {
        key: sorted({*here[key], *there[key]}) if here.get(key) and there.get(key) else None
        for key in sorted({*here, *there})
    }
    if _chosen(only) != _chosen(here):
        united = {**ours, "only": only}
        ends.ours.execute(update(StudyRow).where(StudyRow.name == name).values(resolved=united))


def _chosen(only: Mapping[str, Any]) -> dict[str, Any]:
    return {key: chosen for key, chosen in only.items() if chosen is not None}


def _changed(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> str:
    keys = sorted(key for key in ours.keys() | theirs.keys() if ours.get(key) != theirs.get(key))
    return ", ".join(map(repr, keys))


def _trains_nothing(resolved: Mapping[str, Any]) -> bool:
    """Whether a study holds scored predictions only; its text is made from its places."""
    return "origin" in resolved and "losses" not in resolved


def _merge_places(ends: Ends, studies: Ids, trials: Ids, other: set[str]) -> None:
    """Add places; a place that another current trial of ours fills stays ours."""
    ours = _places(ends.ours)
    known = {(row.study_id, row.trial_id, row.label) for row in ours}
    filled = {
        (row.study_id, *_place(row)): row.trial_id for row in ours if row.current and row.purpose == "study"
    }
    rows, taken = [], []
    for row in _places(ends.theirs):
        if row.study_id not in studies or row.trial_id not in trials:
            continue
        study, trial = studies[row.study_id], trials[row.trial_id]
        current = row.current and row.study not in other
        if current and row.purpose == "study" and filled.get((study, *_place(row)), trial) != trial:
            current = False
            taken.append(row)
        if (study, trial, row.label) not in known:
            rows.append(
                {
                    "study_id": study,
                    "trial_id": trial,
                    "label": row.label,
                    "dataset": row.dataset,
                    "current": current,
                }
            )
    add_rows(ends, StudyTrialRow, rows)
    _report_taken(ends, taken)


def _places(connection: Connection) -> list[Row[Any]]:
    question = (
        select(
            StudyTrialRow.study_id,
            StudyTrialRow.trial_id,
            StudyTrialRow.label,
            StudyTrialRow.dataset,
            StudyTrialRow.current,
            StudyRow.name.label("study"),
            TrialRow.seed,
            TrialRow.fold,
            TrialRow.purpose,
        )
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .order_by(StudyTrialRow.study_id, StudyTrialRow.trial_id, StudyTrialRow.label)
    )
    return list(connection.execute(question))


def _place(row: Row[Any]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in _PLACE)


def _report_taken(ends: Ends, taken: Iterable[Row[Any]]) -> None:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for row in taken:
        groups[row.study, row.dataset, row.label].append(f"{row.seed}/{row.fold}")
    for (study, dataset, label), places in sorted(groups.items()):
        ends.findings.conflict(
            "place",
            f"study {study!r} has other trials there as {label!r} on {dataset!r} (seed/fold "
            f"{', '.join(places)}); ours stay current, theirs come in but not as current",
        )


def _describe_again(ends: Ends, name: str) -> None:
    """Renew datasets and number of seeds in the text of a study that trains nothing."""
    question = (
        select(StudyTrialRow.dataset, StudyTrialRow.label, TrialRow.seed)
        .join(TrialRow, TrialRow.id == StudyTrialRow.trial_id)
        .join(StudyRow, StudyRow.id == StudyTrialRow.study_id)
        .where(StudyRow.name == name, StudyTrialRow.current)
    )
    seeds: dict[tuple[str, str], set[int]] = defaultdict(set)
    for row in ends.ours.execute(question):
        seeds[row.dataset, row.label].add(row.seed)
    before = _texts(ends.ours)[name]
    after = before | {
        "datasets": sorted({dataset for dataset, _ in seeds}),
        "seeds": max(map(len, seeds.values()), default=1),
    }
    if after != before:
        ends.ours.execute(update(StudyRow).where(StudyRow.name == name).values(resolved=after))
