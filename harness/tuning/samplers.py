"""Optuna's samplers behind the names of the study file."""

import hashlib
import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler

from harness.registry import Registry
from harness.study.tuning_spec import CmaEs, Tpe

Builder: TypeAlias = Callable[[Any, int], BaseSampler]

SAMPLERS: Registry[Builder] = Registry("sampler")


def build_sampler(options: Any, search: str, asked: int, seed: int) -> BaseSampler:
    """Return the sampler of the next configuration.

    A sampler that starts with the same seed repeats itself, so the seed is derived from how many
    configurations were asked: a search that is taken over draws what it would have drawn.

    Args:
        options: The ``sampler`` of the study.
        search: Name of the search.
        asked: Configurations that were asked before.
        seed: Of the study's tuning.
    """
    entropy = hashlib.sha256(f"{search}/{seed}/{asked}".encode()).digest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return SAMPLERS[options.name](options, int.from_bytes(entropy[:4], "big"))


@SAMPLERS.register("random")
def _random(_options: Any, seed: int) -> BaseSampler:
    return RandomSampler(seed)


@SAMPLERS.register("tpe")
def _tpe(options: Tpe, seed: int) -> BaseSampler:
    """Dimensions are modelled together, those of each kind of schedule as a group of their own."""
    return TPESampler(n_startup_trials=options.startup, multivariate=True, group=True, seed=seed)


@SAMPLERS.register("cmaes")
def _cmaes(options: CmaEs, seed: int) -> BaseSampler:
    """One dimension alone is drawn at random: CMA-ES needs two."""
    return CmaEsSampler(n_startup_trials=options.startup, warn_independent_sampling=False, seed=seed)
