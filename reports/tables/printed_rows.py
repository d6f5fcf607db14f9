"""Which printed numbers stand beside a row of ours: by loss, variant and alpha schedule."""

from collections.abc import Mapping, Sequence

from harness.published import PublishedNumber, published_for
from reports.results import StudyResults

_WITHOUT = "constant 1"
"""What a sum without a schedule is: both losses count once."""


def numbers_beside(results: StudyResults, dataset: str) -> dict[str, list[PublishedNumber]]:
    """Return the printed numbers of every row of a study that has any, in the order of their tables.

    A number whose alpha schedule is known stands beside the rows with that schedule. Where the study has
    none, it stands beside all rows of its loss, unless its table tells schedules apart.

    Args:
        results: Of the study.
        dataset: One of its datasets.
    """
    variants = variants_of(results)
    found = {
        loss.label: published_for(dataset, loss.expression, variant=variants.get(loss.label, ""))
        for loss in results.losses
    }
    rows = {label: numbers for label, numbers in found.items() if numbers}
    if not any(number.alpha for numbers in rows.values() for number in numbers):
        return rows
    alphas = {label: alpha_of(results, dataset, label) for label in rows}
    kept = {
        label: [number for number in numbers if _has_schedule(number, label, rows, alphas)]
        for label, numbers in rows.items()
    }
    return {label: numbers for label, numbers in kept.items() if numbers}


def variants_of(results: StudyResults) -> dict[str, str]:
    """Return what was changed beside the loss, by label of the rows that stand for a variant.

    The label of such a row is that of its loss with the variant's behind it in parentheses.
    """
    declared = [str(each["label"]) for each in results.document.resolved.get("variants") or ()]
    return {
        label: variant
        for base in results.labels
        for variant in declared
        if (label := f"{base} ({variant})") in results.labels
    }


def alpha_of(results: StudyResults, dataset: str, label: str) -> str:
    """Return the alpha schedule of a row as printed tables name it: its kind, and its value if constant.

    Args:
        results: Of the study.
        dataset: One of its datasets.
        label: Of the row.
    """
    trials = results.trials[(results.trials["dataset"] == dataset) & (results.trials["label"] == label)]
    if trials.empty:
        return ""
    loss = dict(trials["canonical"].iloc[0]).get("loss") or {}
    alpha = loss.get("alpha")
    if not isinstance(alpha, Mapping):
        return _WITHOUT
    kind = str(alpha.get("schedule"))
    if kind != "constant":
        return kind
    return f"constant {alpha.get('start'):g}" if alpha.get("form") == "add" else "constant, mixed"


def _has_schedule(
    number: PublishedNumber,
    label: str,
    rows: Mapping[str, Sequence[PublishedNumber]],
    alphas: Mapping[str, str],
) -> bool:
    """Return whether a number belongs to a row with its schedule.

    Args:
        number: Printed for the loss of the row.
        label: Of the row.
        rows: What was printed for the loss of every row.
        alphas: Schedule of every row.
    """
    if number.alpha in {"", alphas[label]}:
        return True
    if len({each.alpha for each in rows[label] if each.source == number.source}) > 1:
        return False
    return not any(number in numbers and alphas[other] == number.alpha for other, numbers in rows.items())
