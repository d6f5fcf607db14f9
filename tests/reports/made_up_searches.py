"""Made-up searches for a made-up study: what a tuner would have found, all from seeds."""

from dataclasses import replace
from typing import Any

import numpy as np

from harness.losses.search_space import Choice, Real, Whole
from harness.study.tuned_loss import Dimension
from harness.tuning.history import SearchHistory, Tried

LEARNING_RATE = Dimension("learning_rate", Real(1e-4, 1e-2, log=True))
ALPHA = (
    Dimension("alpha.warm_start", Choice((False, True))),
    Dimension("alpha.warm_start.over", Real(0.05, 0.5), ("alpha.warm_start", True)),
    Dimension("alpha.schedule", Choice(("constant", "increase", "rebalance"))),
    Dimension("alpha.constant.start", Real(0.01, 1.0, log=True), ("alpha.schedule", "constant")),
    Dimension("alpha.rebalance.floor", Real(0.0, 0.5), ("alpha.schedule", "rebalance")),
)
GAMMA = Dimension("focal.gamma", Real(0.5, 5.0))
WEIGHT = Dimension("ce.weight", Real(0.1, 10.0, log=True))
POWER = Dimension("focal.power", Whole(1, 4))


def made_up_search(
    label: str,
    default: str | None,
    dataset: str = "heads-sim",
    *,
    fold: int = 0,
    folds: int = 1,
    number: int = 20,
    level: float = 0.7,
    dimensions: tuple[Dimension, ...] = (LEARNING_RATE,),
    seconds: float = 900.0,
    **options: Any,
) -> SearchHistory:
    """Return a search whose values peak at a learning rate of about 1e-3."""
    random = np.random.default_rng([7, fold, sum(map(ord, label + dataset))])
    tried = tuple(configuration(random, place, level, dimensions, seconds) for place in range(number))
    facts: dict[str, Any] = {
        "study": "made-up",
        "dataset": dataset,
        "fold": fold,
        "folds": folds,
        "label": label,
        "default": default,
        "metric": "dsc",
        "higher_is_better": True,
        "sampler": "random",
        "pruner": "none",
        "inner_seeds": 1,
        "epochs": 40,
        "configurations": number,
        "hours": None,
        "dimensions": dimensions,
        "tried": tried,
        "finished": True,
        "opened": 0.0,
        "parts": ("made_up",),
    }
    return SearchHistory(**{**facts, **options})


def configuration(
    random: np.random.Generator,
    number: int,
    level: float,
    dimensions: tuple[Dimension, ...],
    seconds: float,
) -> Tried:
    parameters: dict[str, Any] = {}
    for each in dimensions:
        if each.when is None or parameters.get(each.when[0]) == each.when[1]:
            parameters[each.name] = draw(random, each.space)
    value = level - 0.12 * np.log10(parameters.get("learning_rate", 1e-3) / 1.2e-3) ** 2
    value -= 0.03 * abs(parameters.get("focal.gamma", 2.0) - 2.0) + 0.02 * random.uniform()
    return Tried(
        number=number,
        parameters=parameters,
        loss="made up",
        alpha=alpha(parameters) if "alpha.schedule" in parameters else None,
        state="complete",
        value=float(np.clip(value, 0, 1)) if parameters.get("learning_rate", 0) < 8e-3 else 0.0,
        curve={},
        epochs=40,
        seconds=seconds * float(random.uniform(0.9, 1.1)),
        keys=(f"key-{number}",),
    )


def draw(random: np.random.Generator, space: Any) -> Any:
    if isinstance(space, Choice):
        return space.values[int(random.integers(len(space.values)))]
    if isinstance(space, Whole):
        return int(random.integers(space.low, space.high + 1))
    low, high = (np.log(space.low), np.log(space.high)) if space.log else (space.low, space.high)
    drawn = float(random.uniform(low, high))
    return float(np.exp(drawn)) if space.log else drawn


def alpha(parameters: dict[str, Any]) -> dict[str, Any]:
    kind = parameters["alpha.schedule"]
    found: dict[str, Any] = {
        "constant": {"schedule": "constant", "start": parameters.get("alpha.constant.start", 0.1)},
        "increase": {"schedule": "increase", "form": "add", "start": 0.0, "end": 0.5, "over": 0.8},
        "rebalance": {
            "schedule": "rebalance",
            "start": 1.0,
            "floor": parameters.get("alpha.rebalance.floor", 0.05),
            "over": 0.6,
        },
    }[kind]
    if parameters["alpha.warm_start"]:
        return {"schedule": "warm_start", "over": parameters["alpha.warm_start.over"], "then": found}
    return found


def pruned(history: SearchHistory, share: float = 0.5) -> SearchHistory:
    """Return a search of a learning sampler, a share of its configurations ended early."""
    tried = tuple(
        replace(each, state="pruned", value=None, epochs=8, seconds=each.seconds / 5)
        if each.number % 10 < 10 * share and each.number > 3
        else each
        for each in history.tried
    )
    return replace(history, tried=tried, sampler="tpe", pruner="median")


def failed(history: SearchHistory) -> SearchHistory:
    """Return a search of which every configuration failed."""
    tried = tuple(replace(each, state="failed", value=None) for each in history.tried)
    return replace(history, tried=tried)
