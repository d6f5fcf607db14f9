"""Anyone's scores in one CSV file, as the statistics take them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.errors import InputError, nearest
from harness.statistics.plan import AnalysisPlan
from harness.statistics.results import Results

NEEDED = ("loss", "seed", "case", "value")
OPTIONAL = ("dataset", "metric", "patient", "class", "collapsed", "seconds")
_EMPTY = "scores"


def read_score_file(path: Path, plan: AnalysisPlan | None = None) -> Results:
    """Read a CSV file with the columns loss, seed, case, value; dataset and metric where there are several.

    ``patient`` groups cases (each case is one if absent), ``class`` tells classes apart, an empty or
    infinite ``value`` is undefined, ``collapsed`` (true, false) marks runs that are no use and
    ``seconds`` is the training time of a run.

    Args:
        path: Of the file.
        plan: What is asked; the defaults if absent, with the first metric of the file where it has no DSC.

    Raises:
        InputError: naming file, column or line and the remedy.
    """
    frame = _read(path)
    _check_columns(path, frame)
    scores = _scores(path, frame)
    metrics = list(dict.fromkeys(scores["metric"]))
    asked = plan or AnalysisPlan(metric="dsc" if "dsc" in metrics else metrics[0])
    notes = () if "collapsed" in frame else ("no column 'collapsed': every run counts as one of use",)
    return Results(
        scores=scores,
        states=_states(path, frame, scores),
        losses=tuple(dict.fromkeys(scores["loss"])),
        plan=asked,
        checkpoint="as given",
        notes=notes,
    )


def _read(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise InputError(f"score file {str(path)!r} does not exist")
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(("loss", "case", *OPTIONAL[:4]), str))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        told = str(error).strip().splitlines()[0]
        raise InputError(
            f"score file {str(path)!r} is no CSV table ({told}); write one line per score"
        ) from None
    if frame.empty:
        raise InputError(f"score file {str(path)!r} has no rows; write one line per score")
    return frame


def _check_columns(path: Path, frame: pd.DataFrame) -> None:
    known = (*NEEDED, *OPTIONAL)
    lacking = [name for name in NEEDED if name not in frame]
    if lacking:
        unknown = [str(name) for name in frame.columns if name not in known]
        hint = next((f" (is it {each!r}?)" for each in unknown if nearest(lacking[0], [each])), "")
        raise InputError(
            f"score file {str(path)!r} has no column {lacking[0]!r}{hint}; it needs {', '.join(NEEDED)}, and "
            f"may have {', '.join(OPTIONAL)}"
        )


def _scores(path: Path, frame: pd.DataFrame) -> pd.DataFrame:
    value = _numbers(path, frame, "value")
    for name in ("loss", "case"):
        missing = np.flatnonzero(frame[name].isna())
        if len(missing):
            raise InputError(f"{path}:{missing[0] + 2}: no {name!r}; give one in every line")
    given = {name: frame.get(name) for name in ("dataset", "metric", "patient", "class")}
    found = pd.DataFrame(
        {
            "dataset": _EMPTY if given["dataset"] is None else given["dataset"].fillna(_EMPTY),
            "metric": "dsc" if given["metric"] is None else given["metric"].str.lower(),
            "loss": frame["loss"],
            "seed": _seeds(path, frame),
            "patient": frame["case"] if given["patient"] is None else given["patient"],
            "case": frame["case"],
            "class_index": 1 if given["class"] is None else pd.factorize(given["class"])[0] + 1,
            "value": np.where(np.isfinite(value), value, np.nan),
        }
    )
    twice = np.flatnonzero(found.duplicated(["dataset", "metric", "loss", "seed", "case", "class_index"]))
    if len(twice):
        row = found.iloc[int(twice[0])]
        raise InputError(
            f"{path}:{twice[0] + 2}: a second {row['metric']} of case {row['case']!r} under {row['loss']!r}, "
            f"seed {row['seed']}; leave one out, or add a column 'class' or 'dataset'"
        )
    return found


def _states(path: Path, frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    told = scores[["dataset", "loss", "seed"]].copy()
    told["collapsed"] = _flags(path, frame["collapsed"]) if "collapsed" in frame else False
    told["seconds"] = _numbers(path, frame, "seconds") if "seconds" in frame else np.nan
    runs = told.groupby(["dataset", "loss", "seed"], sort=False).agg(
        collapsed=("collapsed", "any"), seconds=("seconds", "max")
    )
    runs = runs.reset_index()
    runs["state"] = np.where(runs["collapsed"], "collapsed", "scored")
    return runs[["dataset", "loss", "seed", "state", "seconds"]]


def _seeds(path: Path, frame: pd.DataFrame) -> NDArray[np.int64]:
    seeds = _numbers(path, frame, "seed")
    wrong = np.flatnonzero(~(np.isfinite(seeds) & (seeds == np.round(seeds))))
    if len(wrong):
        told = frame["seed"].iloc[int(wrong[0])]
        raise InputError(
            f"{path}:{wrong[0] + 2}: seed {told!r} is no whole number; number the runs of a loss from 0"
        )
    return seeds.astype(np.int64)


def _numbers(path: Path, frame: pd.DataFrame, name: str) -> NDArray[np.float64]:
    numbers = pd.to_numeric(frame[name], errors="coerce")
    wrong = np.flatnonzero((numbers.isna() & frame[name].notna()).to_numpy())
    if len(wrong):
        told = frame[name].iloc[int(wrong[0])]
        raise InputError(
            f"{path}:{wrong[0] + 2}: {name} {told!r} is no number; leave an undefined value empty"
        )
    return np.asarray(numbers.to_numpy(float))


def _flags(path: Path, column: "pd.Series[str]") -> Sequence[bool]:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "nan": False}
    texts = column.astype(str).str.lower().str.strip()
    wrong = np.flatnonzero(~texts.isin(known).to_numpy())
    if len(wrong):
        raise InputError(
            f"{path}:{wrong[0] + 2}: collapsed {column.iloc[int(wrong[0])]!r}; write true or false"
        )
    return [known[text] for text in texts]
