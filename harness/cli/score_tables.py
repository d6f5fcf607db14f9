"""What ``lossbench score`` prints and writes: tidy rows, and their summary over patients."""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from harness.cli.scoring import ScoredCase, ScoredFolders
from harness.metrics import METRICS

ALL_CLASSES = "mean of classes"

COLUMNS = (
    "case", "patient", "class_index", "class", "metric", "version", "unit", "value", "imputed", "reason",
)  # fmt: skip


def tidy_rows(scored: ScoredFolders, metrics: Iterable[str]) -> list[dict[str, Any]]:
    """Return one row for every case, class and metric; ``value`` is None where it is undefined."""
    wanted = set(metrics)
    return [
        {
            "case": case.case,
            "patient": case.patient,
            "class_index": score.class_index,
            "class": scored.classes[score.class_index - 1],
            "metric": score.metric,
            "version": METRICS[score.metric].version,
            "unit": METRICS[score.metric].unit,
            "value": score.value,
            "imputed": score.imputed,
            "reason": score.reason,
        }
        for case in scored.cases
        for score in case.scores
        if score.metric in wanted
    ]


def summary_rows(scored: ScoredFolders, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return mean, SD (ddof 1), median over patients and what is undefined, per class and metric.

    The value of a patient is the mean over its cases, undefined values imputed. Several classes are
    followed by the mean over classes.
    """
    indices = range(1, len(scored.classes) + 1)
    groups: list[tuple[tuple[int, ...], str]] = [((index,), scored.classes[index - 1]) for index in indices]
    if len(groups) > 1:
        groups.append((tuple(indices), ALL_CLASSES))
    return [_summary(scored.cases, index, name, metric) for index, name in groups for metric in metrics]


def case_rows(scored: ScoredFolders, metrics: Sequence[str]) -> list[dict[str, Any]]:
    """Return one row per case and class with a column per metric, undefined values as their reason."""
    rows = []
    for case in scored.cases:
        for index, name in enumerate(scored.classes, start=1):
            found = {score.metric: score for score in case.scores if score.class_index == index}
            row: dict[str, Any] = {"case": case.case, "class": name}
            for metric in metrics:
                score = found[metric]
                row[metric] = f"({score.reason})" if score.value is None else _shown(score.value, metric)
            rows.append(row)
    return rows


def for_terminal(summary: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return summary rows as texts of fitting precision, the class named once."""
    rows = []
    before = None
    for row in summary:
        metric = row["metric"]
        numbers = {key: (_shown(row[key], metric) or "").rjust(7) for key in ("mean", "sd", "median")}
        rows.append(
            {
                "class": "" if row["class"] == before else row["class"],
                "metric": f"{metric} ({row['unit']})" if row["unit"] else metric,
                **numbers,
                "n": row["n"],
                "undefined": _counted(row["undefined"]),
            }
        )
        before = row["class"]
    return rows


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write tidy rows so that a reader sees all of them or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as stream:
            writer = csv.DictWriter(stream, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        Path(scratch).chmod(0o644)
        Path(scratch).replace(path)
    except BaseException:
        Path(scratch).unlink(missing_ok=True)
        raise


def _summary(cases: Sequence[ScoredCase], indices: tuple[int, ...], name: str, metric: str) -> dict[str, Any]:
    by_patient: dict[str, list[float]] = {}
    undefined: Counter[str] = Counter()
    for case in cases:
        scores = [each for each in case.scores if each.metric == metric and each.class_index in indices]
        by_patient.setdefault(case.patient, []).append(fmean(each.imputed for each in scores))
        undefined.update(str(each.reason) for each in scores if each.value is None)
    values = [fmean(each) for each in by_patient.values()]
    return {
        "class": name,
        "metric": metric,
        "unit": METRICS[metric].unit,
        "mean": fmean(values),
        "sd": stdev(values) if len(values) > 1 else None,
        "median": median(values),
        "n": len(values),
        "undefined": dict(sorted(undefined.items())),
    }


def _shown(value: float | None, metric: str) -> str | None:
    if value is None:
        return None
    return f"{value:.2f}" if METRICS[metric].unit else f"{value:.3f}"


def _counted(undefined: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in undefined.items())
