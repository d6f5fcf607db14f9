"""The runs of a study: one (dataset, loss, seed), whole once all its folds are there."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from harness.store.schema import EXTERNAL

_RUN = ["dataset", "label", "seed"]
_UNENDED = ("waiting", "running")


def run_states(trials: pd.DataFrame, folds: Mapping[str, int]) -> pd.DataFrame:
    """Return the state of every run.

    Args:
        trials: The study's own trials, from :func:`harness.store.frames.trials`. Predictions made elsewhere
            are whole, however many folds others have.
        folds: Number of folds by dataset; a run is complete only with all of them.

    Returns:
        Columns dataset, label, seed, the booleans ``scored`` (all folds have scores), ``diverged`` (a fold
        diverged), ``collapsed`` (a fold collapsed, none diverged) and ``failed`` (a fold failed, the others
        have ended, none diverged), and ``seconds`` of training, of all folds together.
    """
    state, external = trials["state"], trials["family"] == EXTERNAL
    needed = trials["dataset"].map(dict(folds)).astype(float).where(~external, 1.0)
    flags = trials.assign(
        done=state == "done",
        diverged=state == "diverged",
        failed=state == "failed",
        unended=state.isin(_UNENDED),
        needed=needed,
    )
    runs = flags.groupby(_RUN, as_index=False, observed=True).agg(
        done=("done", "sum"),
        needed=("needed", "max"),
        diverged=("diverged", "any"),
        collapsed=("collapsed", "any"),
        failed=("failed", "any"),
        unended=("unended", "any"),
        seconds=("seconds", "sum"),
    )
    runs["scored"] = runs["done"] >= runs["needed"]
    runs["collapsed"] &= ~runs["diverged"]
    runs["failed"] &= ~runs["diverged"] & ~runs["unended"]
    return runs[[*_RUN, "scored", "diverged", "collapsed", "failed", "seconds"]]


def whole_runs(scores: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of those runs that are scored.

    Args:
        scores: Rows of :func:`harness.store.frames.scores`.
        runs: From :func:`run_states`.
    """
    scored = runs[runs["scored"]]
    whole = set(zip(scored["dataset"], scored["label"], scored["seed"], strict=True))
    places = scores[_RUN].drop_duplicates()
    kept = {
        place
        for place in places.itertuples(index=False, name=None)
        if (str(place[0]), str(place[1]), int(place[2])) in whole
    }
    if len(kept) == len(places):
        return scores
    keys = zip(scores["dataset"], scores["label"], scores["seed"], strict=True)
    wanted = pd.Series([key in kept for key in keys], index=scores.index, dtype=bool)
    return scores[wanted].reset_index(drop=True)


def ended_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs that have ended: dataset, loss, seed, state, seconds.

    Args:
        runs: From :func:`run_states`.
    """
    state = np.select(
        [runs["diverged"], runs["scored"] & runs["collapsed"], runs["scored"], runs["failed"]],
        ["diverged", "collapsed", "scored", "failed"],
        default="",
    )
    found = runs[["dataset", "label", "seed"]].astype({"dataset": str, "label": str})
    found = found.rename(columns={"label": "loss"}).assign(state=state, seconds=runs["seconds"])
    return found[found["state"] != ""].reset_index(drop=True)
