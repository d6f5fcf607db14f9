"""Searches as tables for the terminal."""

from collections.abc import Iterable, Mapping
from typing import Any

from harness.cli.output import print_json, print_table, stdout
from harness.errors import InputError
from harness.losses.search_space import Scalar
from harness.study.spec import Study
from harness.study.tuned_loss import tuned_losses
from harness.tuning.history import SearchHistory

_HOUR = 3600.0


def print_spaces(study: Study, as_json: bool) -> None:
    """Print what a study would search, loss by loss.

    Raises:
        InputError: if it tunes nothing.
    """
    rows = [
        {
            "loss": tuned.label,
            "drawn": dimension.name,
            "from": str(dimension.space),
            "if": "" if dimension.when is None else f"{dimension.when[0]} is {_value(dimension.when[1])}",
        }
        for tuned in tuned_losses(study)
        for dimension in tuned.space.dimensions
    ]
    if not rows:
        raise InputError(
            f"study {study.study!r} tunes nothing; add 'tuning: {{losses: all}}', or 'alpha: tune' to a loss"
        )
    if as_json:
        print_json({"budget": budget(study), "spaces": rows})
        return
    print_table(rows, title=f"search spaces of {study.study}")
    stdout.print(budget(study), highlight=False, markup=False)


def budget(study: Study) -> str:
    """Return the budget of every search as a sentence."""
    tuning, epochs = study.tuning, study.protocol.epochs
    seeds = "1 training" if tuning.inner_seeds == 1 else f"{tuning.inner_seeds} trainings"
    if tuning.hours is not None:
        amount = f"{tuning.hours:g} h of one worker"
    else:
        total = (tuning.configurations or 0) * tuning.inner_seeds * epochs
        amount = f"{tuning.configurations} configurations ({total} epochs)"
    pruner = f", {tuning.pruner.name} pruning" if tuning.prunes else ""
    return (
        f"every loss on every fold of every dataset: {amount}, {seeds} of {epochs} epochs each, "
        f"{tuning.sampler.name} sampling{pruner}, best validation {tuning.metric}"
    )


def search_rows(searches: Iterable[SearchHistory]) -> list[dict[str, Any]]:
    """Return one row per search: what was tried, what it cost, what was best."""
    return [_row(search) for search in searches]


def _row(search: SearchHistory) -> dict[str, Any]:
    best = search.best
    fold = {"fold": search.fold} if search.folds > 1 else {}
    return {
        "dataset": search.dataset,
        **fold,
        "loss": search.label,
        "tried": search.count("complete"),
        **({"pruned": search.count("pruned")} if search.pruner != "none" else {}),
        "failed": search.count("failed"),
        "epochs": sum(each.epochs for each in search.tried),
        "hours": round(sum(each.seconds for each in search.tried) / _HOUR, 2),
        f"validation {search.metric}": None if best is None or best.value is None else round(best.value, 4),
        "chosen": "" if best is None else shown(best.parameters) + ("" if search.finished else " (so far)"),
    }


def shown(parameters: Mapping[str, Scalar]) -> str:
    """Return drawn values for people.

    >>> shown({"learning_rate": 0.00312345, "alpha.schedule": "rebalance"})
    'learning_rate 0.00312, alpha.schedule rebalance'
    """
    return ", ".join(f"{name} {_value(value)}" for name, value in parameters.items())


def _value(value: Scalar) -> str:
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(value).lower() if isinstance(value, bool) else str(value)
