"""What searches are called in Optuna's tables."""

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from harness.study.plan import PlannedTrial
from harness.study.tuned_loss import Dimension
from harness.study.tuning_spec import Tuning
from harness.tuning.record import dimension_record

_BUDGET = {"losses", "configurations", "hours", "learning_rate", "alpha", "spaces"}
"""Keys of the tuning block that do not name a search: a budget may grow, and dimensions tell the spaces."""


def search_prefix(study: str) -> str:
    """Return how the names of a study's searches begin."""
    return f"{study} / "


def search_name(study: str, probe: PlannedTrial, dimensions: Sequence[Dimension], tuning: Tuning) -> str:
    """Name a search by all that its result depends on but the budget.

    Args:
        study: Name of the study.
        probe: Any trial of the search.
        dimensions: Of its space.
        tuning: The study's tuning block.
    """
    facts: list[Any] = [
        probe.trial.canonical(),
        [dimension_record(each) for each in dimensions],
        tuning.model_dump(mode="json", exclude=_BUDGET),
    ]
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return f"{search_prefix(study)}{probe.dataset} / fold {probe.trial.fold} / {probe.label} / {digest}"
