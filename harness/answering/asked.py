"""The plan of a study's analysis, from the study as the database keeps it."""

from collections.abc import Mapping, Sequence

from harness.answering.shown import Resolved, arm_labels, declared_datasets
from harness.statistics.plan import AnalysisPlan, Contrast
from harness.strict_yaml import validate
from harness.study.analysis_spec import Analysis, DeclaredContrast

REFERENCES = ("ce", "dice + ce")
"""Expressions of the losses that others are compared with, where the study names none."""


def analysis_plan(
    resolved: Resolved, expressions: Mapping[str, str], datasets: Sequence[str] = ()
) -> AnalysisPlan:
    """Return what the study asks of its scores.

    Args:
        resolved: The study, with defaults or without.
        expressions: Canonical expression by label, of the losses that are known.
        datasets: Names as tables have them (``-sim`` if simulated), for margins of single datasets.

    Raises:
        InputError: if the study's analysis is not one.
    """
    source = f"study {resolved.get('study')!r}"
    told = validate(Analysis, resolved.get("analysis") or {}, source)
    contrasts = [validate(DeclaredContrast, each, source) for each in resolved.get("contrasts") or ()]
    own = {
        name: dict(margins)
        for name, margins in (_margins_of(name, resolved, told) for name in datasets)
        if margins
    }
    return AnalysisPlan(
        metric=told.metric,
        boundary=told.boundary,
        alpha=told.alpha,
        margins=dict(told.margins),
        dataset_margins=own,
        references=_default_references(resolved, expressions)
        if told.references is None
        else tuple(told.references),
        looks=told.looks,
        contrasts=tuple(Contrast(each.name, tuple(each.plus), tuple(each.minus)) for each in contrasts),
    )


def _margins_of(name: str, resolved: Resolved, told: Analysis) -> tuple[str, Mapping[str, float]]:
    """Return the margins of a dataset, which the study may call by its plain name."""
    known = (name, name.removesuffix("-sim")) if name not in declared_datasets(resolved) else (name,)
    return name, next((told.dataset_margins[each] for each in known if each in told.dataset_margins), {})


def _default_references(resolved: Resolved, expressions: Mapping[str, str]) -> tuple[str, ...]:
    """Return the first declared loss of every usual expression, tuned arms and moved alphas left out."""
    fixed = {str(entry.get("label")) for entry in resolved.get("losses", ()) if entry.get("alpha") is None}
    labels = [label for label in arm_labels(resolved) if label in fixed]
    first = [
        next((label for label in labels if expressions.get(label) == wanted), None) for wanted in REFERENCES
    ]
    return tuple(label for label in first if label is not None)
