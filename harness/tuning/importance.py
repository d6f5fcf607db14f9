"""How much each dimension of a search space matters."""

import warnings
from collections.abc import Mapping
from types import MappingProxyType

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.exceptions import ExperimentalWarning
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from harness.losses.search_space import Choice, Real, Space, Whole
from harness.tuning.history import SearchHistory, Tried

FEWEST = 4
"""Configurations below which nothing is said."""


def importances(history: SearchHistory) -> Mapping[str, float]:
    """Return the share of each dimension that every configuration has, by PED-ANOVA; they sum to 1.

    What tells the better half of the configurations from all of them (Watanabe et al., IJCAI 2023):
    dimensions whose values look alike in both do not matter. Dimensions under a condition have too few
    values each and are left out.

    Args:
        history: A search.

    Returns:
        Empty if fewer than four configurations are complete or all of them are equally good.
    """
    complete = [each for each in history.tried if each.value is not None]
    names = [each.name for each in history.dimensions if each.when is None]
    if len(complete) < FEWEST or len({each.value for each in complete}) < 2 or not names:
        return MappingProxyType({})
    if len(names) == 1:
        return MappingProxyType({names[0]: 1.0})
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize" if history.higher_is_better else "minimize")
    distributions = {each.name: _distribution(each.space) for each in history.dimensions if each.when is None}
    study.add_trials([_trial(each, distributions) for each in complete])
    evaluator = PedAnovaImportanceEvaluator(target_quantile=0.5, region_quantile=1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        found = get_param_importances(study, evaluator=evaluator, params=names)
    return {name: float(found[name]) for name in names}


def _trial(tried: Tried, distributions: Mapping[str, BaseDistribution]) -> optuna.trial.FrozenTrial:
    parameters = {name: tried.parameters[name] for name in distributions}
    return optuna.create_trial(params=parameters, distributions=dict(distributions), value=tried.value)


def _distribution(space: Space) -> BaseDistribution:
    match space:
        case Real():
            return FloatDistribution(space.low, space.high, log=space.log)
        case Whole():
            return IntDistribution(space.low, space.high, log=space.log)
        case Choice():
            return CategoricalDistribution(space.values)
