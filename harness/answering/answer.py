"""A study's evidence as the statistics take it, and its answer."""

import re
from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from harness.answering.evidence import Evidence, load_evidence
from harness.answering.looks import record_look
from harness.answering.shown import Checkpoint
from harness.errors import InputError, nearest
from harness.statistics.block import Unanswerable
from harness.statistics.contrasts import Anatomy, builtin_contrasts
from harness.statistics.plan import Contrast
from harness.statistics.recommendation import Costs
from harness.statistics.results import Results
from harness.statistics.study_answer import StudyAnswer, answer_study
from harness.store.database import Database

_WEIGHT = re.compile(r"^[0-9.]+(e[+-]?[0-9]+)?\s*\*\s*")
_PLUS = re.compile(r"\s\+\s(?![^(]*\))")
_OTHER: Mapping[Checkpoint, Checkpoint] = {"best": "last", "last": "best"}


def answer_from_database(
    database: Database,
    study: str,
    *,
    metric: str | None = None,
    datasets: Sequence[str] | None = None,
    peek: bool = False,
) -> StudyAnswer:
    """Return the answer of a study, and record the look at its test scores.

    Args:
        database: Open results database.
        study: Name of the study.
        metric: Instead of the primary metric.
        datasets: Only these.
        peek: Take test scores although the study is incomplete.

    Raises:
        InputError: if there is no such study, metric or dataset, or its scores allow no answer.
    """
    evidence = load_evidence(database, study, peek=peek)
    _check_names("dataset", datasets or (), evidence.datasets)
    _check_names("metric", [metric] if metric else (), sorted(set(evidence.scores["metric"].astype(str))))
    other = load_evidence(database, study, peek=peek, checkpoint=_OTHER[evidence.checkpoint])
    results = results_of(evidence, {other.checkpoint: other.scores})
    if evidence.part == "test" and len(evidence.scores):
        record_look(database, study, evidence.digest, evidence.complete)
    try:
        check_patients(evidence)
        return answer_study(results, metric=metric, datasets=datasets or _in_order(evidence, results))
    except Unanswerable as error:
        raise InputError(f"study {study!r} cannot be answered: {error}") from error


def answer_from_scores(
    database: Database, study: str, scores: pd.DataFrame, *, peek: bool = False
) -> StudyAnswer:
    """Return the answer of a study whose shown scores were read already; no look is recorded.

    Args:
        database: Open results database.
        study: Name of the study.
        scores: From :func:`harness.store.frames.scores`, of the shown part and checkpoint and whole runs.
        peek: Whether they are test scores although the study is incomplete.

    Raises:
        InputError: if there is no such study.
        Unanswerable: if the scores allow no answer.
    """
    evidence = load_evidence(database, study, peek=peek, scores=scores)
    check_patients(evidence)
    other = load_evidence(database, study, peek=peek, checkpoint=_OTHER[evidence.checkpoint])
    results = results_of(evidence, {other.checkpoint: other.scores})
    return answer_study(results, datasets=_in_order(evidence, results))


def check_patients(evidence: Evidence) -> None:
    """Refuse validation scores of seeds that have validation patients of their own.

    Raises:
        Unanswerable: if there are any; losses are compared on the same patients in every run.
    """
    if evidence.part != "validation" or evidence.scores.empty:
        return
    of_runs = evidence.scores.groupby(["dataset", "seed"], observed=True)["patient"].agg(frozenset)
    for dataset, sets in of_runs.groupby(level="dataset", observed=True):
        if sets.nunique() > 1:
            remedy = "evaluate on test patients" if evidence.complete else "finish the study first"
            raise Unanswerable(
                f"on {dataset} every seed has validation patients of its own, and losses are compared on the "
                f"same patients only; {remedy}"
            )


def _in_order(evidence: Evidence, results: Results) -> list[str]:
    """Return the datasets that have scores, in the order of the study."""
    return [name for name in evidence.datasets if name in results.datasets]


def results_of(evidence: Evidence, other_checkpoints: Mapping[str, pd.DataFrame] | None = None) -> Results:
    """Return the evidence of a study as the statistics take it."""
    return Results(
        scores=evidence.scores,
        states=evidence.states,
        losses=evidence.losses,
        plan=evidence.plan,
        checkpoint=evidence.checkpoint,
        other_checkpoints=other_checkpoints or {},
        worst=evidence.worst,
        eps=evidence.eps,
        costs=dict(_costs(evidence)),
        contrasts=all_contrasts(evidence),
        dropped=dict(_dropped(evidence)),
        alphas={each.dataset: each.alpha for each in evidence.stages if each.dataset in evidence.settled},
        patients=evidence.patients,
        notes=tuple(_notes(evidence)),
    )


def all_contrasts(evidence: Evidence) -> tuple[Contrast, ...]:
    """Return the declared contrasts and the built-in ones that the losses allow, and are not declared."""
    anatomy = {
        label: Anatomy(evidence.families[label], parts_of_expression(evidence.expressions[label]))
        for label in evidence.losses
        if evidence.expressions.get(label)
    }
    families = {of.parts[0]: of.family for of in anatomy.values() if len(of.parts) == 1}
    declared = evidence.plan.contrasts
    own = {(each.plus, each.minus) for each in declared} | {each.name for each in declared}
    built = [each for each in builtin_contrasts(anatomy, families) if each.name not in own]
    return (*declared, *built)


def parts_of_expression(expression: str) -> tuple[str, ...]:
    """Return the parts of a canonical loss without their weights.

    >>> parts_of_expression("dice + 0.5*focal(gamma=3)")
    ('dice', 'focal(gamma=3)')
    """
    return tuple(_WEIGHT.sub("", term.strip()) for term in _PLUS.split(expression))


def _check_names(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    for name in given:
        if name not in known:
            hint = nearest(name, known) or f"; known: {', '.join(known)}"
            raise InputError(f"no {what} {name!r} in these results{hint}")


def _costs(evidence: Evidence) -> Iterator[tuple[str, Costs]]:
    for dataset in evidence.datasets:
        runs = evidence.states[evidence.states["dataset"] == dataset].dropna(subset="seconds")
        mean = runs.groupby("loss", observed=True)["seconds"].mean()
        own = {str(loss): float(seconds) for loss, seconds in mean.items()}
        parameters = {
            label: len(parts_of_expression(text)) - 1 for label, text in evidence.expressions.items() if text
        }
        yield dataset, Costs(own, parameters)


def _dropped(evidence: Evidence) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the losses that running until decided has dropped, with the words for it."""
    for dataset in evidence.datasets:
        found = {
            loss: f"inferior at look {stage.look + 1} ({stage.seeds.get(loss, 0)} seeds)"
            for stage in evidence.stages
            if stage.dataset == dataset and dataset in evidence.settled
            for loss in stage.dropped
        }
        if found:
            yield dataset, found


def _notes(evidence: Evidence) -> Iterator[str]:
    if evidence.part == "validation":
        why = (
            "the study asks for it"
            if evidence.complete
            else "the study is incomplete; test results come with --peek"
        )
        yield f"these are validation results, which chose the checkpoints ({why})"
    elif not evidence.complete:
        yield "the study is incomplete: losses have the seeds that they have"
    if evidence.simulated:
        yield "simulated data: nothing was measured on patients"
    for dataset, folds in evidence.folds.items():
        if folds > 1:
            yield f"{dataset}: training sets overlap between its {folds} folds, so intervals are approximate"
    planned = evidence.plan.looks
    staged = len({each.digest for each in evidence.stages})
    if evidence.part == "test" and evidence.looks - staged > planned:
        yield (
            f"{evidence.looks - staged} distinct sets of test scores were looked at, {planned} planned: the "
            "level holds for the planned looks only"
        )
