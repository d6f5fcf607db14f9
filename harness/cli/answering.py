"""Answers of studies and of files, for the command line."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.answering.answer import answer_from_database
from harness.answering.score_file import read_score_file
from harness.cli.home import Home
from harness.errors import InputError, nearest
from harness.statistics.block import Unanswerable
from harness.statistics.error_rates import CHECKS, Rate
from harness.statistics.plan import AnalysisPlan
from harness.statistics.results import Results
from harness.statistics.scale import scale_of
from harness.statistics.study_answer import StudyAnswer, answer_study
from harness.store.database import open_database


def answer_of_study(
    study: str, home: Home, metric: str | None, datasets: Sequence[str] | None, peek: bool
) -> StudyAnswer:
    """Return the answer of a study in the database."""
    database = open_database(home.database_url)
    return answer_from_database(database, study, metric=metric, datasets=datasets, peek=peek)


def answer_of_file(
    path: Path,
    metric: str | None,
    datasets: Sequence[str] | None,
    references: Sequence[str],
    margin: float | None,
) -> StudyAnswer:
    """Return the answer of a CSV file with scores.

    Raises:
        InputError: if a name is not in the file, or its scores allow no answer.
    """
    results = read_score_file(path)
    chosen = metric or results.plan.metric
    for what, given, known in (
        ("metric", [chosen], results.metrics),
        ("dataset", datasets or (), results.datasets),
        ("loss", references, results.losses),
    ):
        _check(path, what, given, known)
    if margin is not None and scale_of(chosen).log and not margin > 1:
        raise InputError(f"--margin {margin:g}: distances have a factor above 1, such as 1.1")
    if margin is not None and not margin > 0:
        raise InputError(f"--margin {margin:g}: give a number above 0")
    plan = AnalysisPlan(
        metric=chosen,
        references=tuple(references) or _usual(results),
        margins={} if margin is None else {chosen: margin},
    )
    try:
        return answer_study(
            Results(**{**vars(results), "plan": plan}), metric=chosen, datasets=list(datasets or ()) or None
        )
    except Unanswerable as error:
        raise InputError(f"the scores in {str(path)!r} cannot be answered: {error}") from error


def rates_of(checks: Sequence[str] | None, studies: int, seed: int) -> list[Rate]:
    """Return the error rates of some checks, or of all.

    Raises:
        InputError: if there is no such check.
    """
    for name in checks or ():
        if name not in CHECKS:
            hint = nearest(name, CHECKS) or f"; there are {', '.join(CHECKS)}"
            raise InputError(f"no check {name!r}{hint}")
    return [
        rate
        for number, (name, check) in enumerate(CHECKS.items())
        if not checks or name in checks
        for rate in check(studies, np.random.default_rng([seed, number]))
    ]


def _usual(results: Results) -> tuple[str, ...]:
    """Return the losses of a file that are called as the usual references are."""
    wanted = ("ce", "dice + ce", "dice+ce")
    return tuple(loss for loss in results.losses if loss.lower() in wanted)


def _check(path: Path, what: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"; it has {', '.join(known)}"
            raise InputError(f"score file {str(path)!r} has no {what} {name!r}{hint}")
