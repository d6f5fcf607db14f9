"""Alpha schedules as studies and searches write them: their words and their weights."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from harness.losses import Alpha
from reports.results import StudyResults
from reports.tuning.loss_search import LossSearch

Weights: TypeAlias = tuple[tuple[float, float], ...]
"""(w_R, w_B) by epoch."""

_EXTRA = frozenset({"on", "tuned_in"})
"""Keys of a study's alpha that are no property of the schedule."""


def schedule_words(schedule: Mapping[str, object]) -> str:
    """Return a schedule as its name and the options that are set, that of a warm start in brackets."""
    options = []
    for key, value in schedule.items():
        if key == "schedule" or value is None or value is False:
            continue
        shown = f"({schedule_words(value)})" if isinstance(value, Mapping) else value
        options.append(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {shown}")
    return f"{schedule.get('schedule')}: {', '.join(options)}" if options else str(schedule.get("schedule"))


def weights_of(alpha: object, epochs: int) -> Weights | None:
    """Return (w_R, w_B) of every epoch of a schedule as a study has it, None if that is none of ours."""
    if not isinstance(alpha, Mapping):
        return None
    try:
        schedule: Any = TypeAdapter(Alpha).validate_python(
            {key: value for key, value in alpha.items() if key not in _EXTRA}
        )
        return tuple(schedule.weights(epoch, epochs) for epoch in range(epochs))
    except (ValidationError, ValueError):
        return None


def default_alpha(results: StudyResults, search: LossSearch) -> object:
    """Return the schedule of the default arm, from the study or, with all defaults, from a trial."""
    if search.default is None:
        return None
    for entry in results.document.resolved.get("losses", ()):
        if entry.get("label") == search.default and isinstance(entry.get("alpha"), Mapping):
            return entry["alpha"]
    trials = results.trials
    for form in trials.loc[trials["label"] == search.default, "canonical"]:
        loss = form.get("loss") if isinstance(form, Mapping) else None
        if isinstance(loss, Mapping) and isinstance(loss.get("alpha"), Mapping):
            return loss["alpha"]
    return None
