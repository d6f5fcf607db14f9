"""Optuna's pruners behind the names of the study file."""

from collections.abc import Callable
from typing import Any, TypeAlias

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    NopPruner,
    PercentilePruner,
    SuccessiveHalvingPruner,
)

from harness.registry import Registry
from harness.study.tuning_spec import HyperbandPruning, MedianPruning, PercentilePruning, SuccessiveHalving

Builder: TypeAlias = Callable[[Any, int, int], BasePruner]

PRUNERS: Registry[Builder] = Registry("pruner")
_MEDIAN = 50.0


def build_pruner(options: Any, epochs: int, steps: int) -> BasePruner:
    """Return a pruner.

    Args:
        options: The ``pruner`` of the study.
        epochs: Of one training.
        steps: Epochs of all trainings of a configuration.
    """
    return PRUNERS[options.name](options, epochs, steps)


@PRUNERS.register("none")
def _none(_options: Any, _epochs: int, _steps: int) -> BasePruner:
    return NopPruner()


@PRUNERS.register("median")
def _median(options: MedianPruning, epochs: int, _steps: int) -> BasePruner:
    return PercentilePruner(_MEDIAN, options.startup, _warmup(options.warmup, epochs))


@PRUNERS.register("percentile")
def _percentile(options: PercentilePruning, epochs: int, _steps: int) -> BasePruner:
    return PercentilePruner(options.keep, options.startup, _warmup(options.warmup, epochs))


@PRUNERS.register("successive_halving")
def _successive_halving(options: SuccessiveHalving, _epochs: int, _steps: int) -> BasePruner:
    return SuccessiveHalvingPruner(options.first, options.factor)


@PRUNERS.register("hyperband")
def _hyperband(options: HyperbandPruning, _epochs: int, steps: int) -> BasePruner:
    return HyperbandPruner(options.first, steps, options.factor)


def _warmup(part: float, epochs: int) -> int:
    """Return the step before which no configuration is ended."""
    return round(part * epochs)
