"""Table T6: values without a definition, and runs that collapsed."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from harness.statistics.block import Unanswerable
from harness.statistics.collapse_rate import collapse_rate
from harness.statistics.undefined import two_part_table, undefined_counts, undefined_reasons
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.notes import listing, undefined_note
from reports.tables.numbers import number, per_cent, shown_notes
from reports.tables.registry import AnyTable, NothingToTell, register_table

_KEYS = ["dataset", "loss", "metric"]


@register_table("T6", "undefined")
def undefined_tables(results: StudyResults) -> list[AnyTable]:
    """Return what was undefined, what that means for distances, and what collapsed; each where it occurs.

    Raises:
        NothingToTell: if nothing did.
    """
    found = [make(results) for make in (_collapsed_table, _undefined_table, _two_part_table)]
    tables: list[AnyTable] = [table for table in found if table is not None]
    if not tables:
        runs = "no run is complete yet" if results.scores.empty else "every value is defined"
        raise NothingToTell(f"Table T6: no run collapsed or diverged, and {runs}.")
    return tables


def _collapsed_table(results: StudyResults) -> WordTable | None:
    rows = list(_collapsed_rows(results))
    if not rows:
        return None
    shown = tuple(
        (
            str(row["dataset"]),
            str(row["loss"]),
            *(str(row[key]) for key in ("runs", "collapsed", "diverged", "failed")),
            f"{per_cent(float(str(row['low'])))} to {per_cent(float(str(row['high'])))}",
            per_cent(float(str(row["bound"]))),
        )
        for row in rows
    )
    return WordTable(
        "t6_collapsed",
        "Losses with runs that collapsed, diverged or failed.",
        ("Dataset", "Loss", "Runs", "Collapsed", "Diverged", "Failed", "95 % interval", "Upper bound"),
        shown,
        (
            *shown_notes(results, results.datasets),
            "Collapsed: validation DSC at the reported checkpoint below 0.05, or at least 95 % of the "
            "validation cases with foreground predicted empty. Diverged: the loss or a weight was not "
            "finite. Failed: for reasons of the machine; such runs are not counted among the runs.",
            "95 % interval and one-sided upper 95 % bound of the rate of collapsed and diverged runs "
            "(Clopper and Pearson, Biometrika 26:404, 1934).",
        ),
        pd.DataFrame(rows),
        (False, False, *[True] * 6),
    )


def _collapsed_rows(results: StudyResults) -> Iterator[dict[str, object]]:
    groups = dict(list(results.runs.groupby(["dataset", "label"])))
    for dataset in results.datasets:
        for label in results.labels:
            runs = groups.get((dataset, label))
            if runs is None or not (runs["collapsed"] | runs["diverged"] | runs["failed"]).any():
                continue
            counted = runs[~runs["failed"] & (runs["scored"] | runs["collapsed"] | runs["diverged"])]
            rate = collapse_rate(int((counted["collapsed"] | counted["diverged"]).sum()), len(counted))
            yield {
                "dataset": dataset,
                "loss": label,
                "runs": rate.runs,
                "collapsed": int(runs["collapsed"].sum()),
                "diverged": int(runs["diverged"].sum()),
                "failed": int(runs["failed"].sum()),
                "low": rate.low,
                "high": rate.high,
                "bound": rate.bound,
            }


def _undefined_table(results: StudyResults) -> WordTable | None:
    scores = results.scores.rename(columns={"label": "loss"})
    if scores.empty:
        return None
    counts = undefined_counts(scores).astype(dict.fromkeys(_KEYS, str))
    reasons = undefined_reasons(scores).astype(dict.fromkeys(_KEYS, str))
    why = {
        key: "; ".join(
            f"{reason} ({number})" for reason, number in zip(own["reason"], own["undefined"], strict=True)
        )
        for key, own in reasons[reasons["undefined"] > 0].groupby(_KEYS)
    }
    data = counts[counts["undefined"] > 0]
    if data.empty:
        return None
    data = data.assign(
        reasons=[why.get(key, "") for key in zip(*(data[name] for name in _KEYS), strict=True)]
    )
    columns = [*_KEYS, "scores", "undefined", "reasons"]
    return WordTable(
        "t6_undefined",
        "Values that the formula of a metric leaves undefined, by loss.",
        ("Dataset", "Losses", "Metrics", "Values", "Undefined", "Share", "Reasons"),
        tuple(_undefined_rows(results, data)),
        (
            *shown_notes(results, results.datasets),
            "A value is one class of one case in one run of one loss, collapsed runs included. Losses and "
            "metrics with the same counts share a row; those that are not named have no undefined value.",
            undefined_note(results, results.datasets),
        ),
        data[columns].reset_index(drop=True),
        (False, False, False, True, True, True, False),
    )


def _undefined_rows(results: StudyResults, data: pd.DataFrame) -> Iterator[tuple[str, ...]]:
    titles = results.metrics.set_index("name")["title"]
    found: dict[tuple[str, tuple[str, ...], int, int, str], list[str]] = {}
    for key, own in data.groupby(["dataset", "metric", "scores", "undefined", "reasons"], sort=False):
        dataset, metric, scores, undefined, reasons = map(str, key)
        losses = tuple(label for label in results.labels if label in set(own["loss"]))
        same = dataset, losses, int(scores), int(undefined), reasons
        found.setdefault(same, []).append(str(titles[metric]))
    datasets = {name: place for place, name in enumerate(results.datasets)}
    for same in sorted(found, key=lambda each: (datasets[each[0]], -len(each[1]))):
        of, losses, values, missing, why = same
        yield (
            of,
            "all losses" if len(losses) == len(results.labels) > 1 else listing(losses),
            listing(found[same]),
            str(values),
            str(missing),
            per_cent(missing / values),
            why,
        )


def _two_part_table(results: StudyResults) -> WordTable | None:
    table = _two_part_frame(results)
    if table is None:
        return None
    titles = results.metrics.set_index("name")["title"]
    return WordTable(
        "t6_two_part",
        "How often predictions have no distance, and the distance where they have one.",
        (
            "Dataset",
            "Metric",
            "Loss",
            "Undefined by failure",
            "Mean where this loss has one",
            "Mean where all have one",
        ),
        tuple(
            (
                str(row["dataset"]),
                str(titles[row["metric"]]),
                str(row["loss"]),
                per_cent(float(row["rate"])),
                number(float(row["own"]), 1),
                number(float(row["common"]), 1),
            )
            for _, row in table.iterrows()
        ),
        (
            *shown_notes(results, results.datasets),
            "Runs that collapsed or diverged are left out. Means where a loss has a value are not comparable "
            "between losses, for each leaves out other cases; those where all losses have one are.",
        ),
        table.reset_index(drop=True),
        (False, False, False, True, True, True),
    )


def _two_part_frame(results: StudyResults) -> pd.DataFrame | None:
    scores = results.scores.rename(columns={"label": "loss"})
    scores = scores[scores["metric"].isin(results.main_metrics())]
    if scores.empty or np.isfinite(scores["value"].to_numpy(float)).all():
        return None
    try:
        table = two_part_table(scores, _states(results))
    except Unanswerable:  # runs differ in patients, as on validation: there is no set that all were tested on
        return None
    concerned = table[table["rate"] > 0][["dataset", "metric"]].drop_duplicates()
    table = table.merge(concerned, on=["dataset", "metric"]).reset_index(drop=True)
    order = {label: place for place, label in enumerate(results.labels)}
    datasets = {name: place for place, name in enumerate(results.datasets)}
    keyed = table.assign(of=table["dataset"].map(datasets), at=table["loss"].map(order))
    ordered = table.loc[keyed.sort_values(["of", "metric", "at"], kind="stable").index]
    return None if ordered.empty else ordered


def _states(results: StudyResults) -> pd.DataFrame:
    runs = results.runs
    state = np.select(
        [runs["failed"], runs["diverged"], runs["collapsed"]], ["failed", "diverged", "collapsed"], "scored"
    )
    return pd.DataFrame(
        {"dataset": runs["dataset"], "loss": runs["label"], "seed": runs["seed"], "state": state}
    )
