"""Does advice transfer to a dataset that it was not drawn from? Choose on all others, pay on this one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.meta import Values
from harness.statistics.several_datasets import Several, mean_interval


@dataclass(frozen=True)
class Saved:
    """Mean over datasets of what advice saves against always taking one loss; above zero where it pays.

    The interval takes the choices as given, and the datasets as the ones there are.

    Attributes:
        mean: In the common unit of the datasets.
        low: Lower end of the interval.
        high: Upper end of the interval.
        error: Standard error.
        df: Degrees of freedom; infinite if there is no variance, as where both took the same loss everywhere.
        p: Two-sided, of nothing saved.
    """

    mean: float
    low: float
    high: float
    error: float
    df: float
    p: float


@dataclass(frozen=True)
class Transfer:
    """What advice from all other datasets costs on each dataset, beside policies that need no data.

    Regret is how far a loss is behind the one with the best mean on a dataset. That best is in part luck, so
    every policy has some regret even among equal losses: compare policies, not one of them with zero.

    Attributes:
        datasets: On which was paid.
        chosen: The loss that the other datasets advise, of each.
        advice: Regret of that loss, ``(datasets,)``, in the common unit.
        always: Regret of one loss everywhere, by its name, ``(datasets,)``.
        random: Mean regret over all losses, ``(datasets,)``.
        saved: What advice saves against always taking a loss, by its name.
    """

    datasets: tuple[str, ...]
    chosen: tuple[str, ...]
    advice: Values
    always: Mapping[str, Values]
    random: Values
    saved: Mapping[str, Saved]


def best_on_average(several: Several) -> str:
    """Return the loss with the smallest mean regret, which has the highest mean; the first one of equals."""
    return several.losses[int(np.argmin(np.round(several.behind.mean(axis=0), 12)))]


def leave_one_dataset_out(
    several: Several, references: Sequence[str] = (), choose: Callable[[Several], str] = best_on_average
) -> Transfer:
    """Return what is paid on each dataset for the loss that the other datasets advise.

    Args:
        several: The losses on the datasets, at least two.
        references: Losses to take everywhere instead; those that were not compared on all datasets are
            skipped.
        choose: The rule that advises a loss, given all but one dataset.
    """
    chosen = tuple(choose(several.without(dataset)) for dataset in several.datasets)
    rows = np.arange(len(chosen))
    own = np.array([several.losses.index(loss) for loss in chosen])
    columns = {loss: several.losses.index(loss) for loss in references if loss in several.losses}
    df = np.array([each.df for each in several.pairs])
    saved = {
        loss: Saved(
            *mean_interval(
                several.differences[rows, own, at], several.errors[rows, own, at], df[rows, own, at]
            )
        )
        for loss, at in columns.items()
    }
    return Transfer(
        datasets=several.datasets,
        chosen=chosen,
        advice=several.behind[rows, own],
        always={loss: several.behind[:, at] for loss, at in columns.items()},
        random=np.asarray(several.behind.mean(axis=1)),
        saved=saved,
    )
