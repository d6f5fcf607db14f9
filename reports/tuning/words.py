"""Sentences about tuning: what was done, with which budget, and what must not be read into it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reports.results import StudyResults
from reports.tables.notes import listing
from reports.tuning.loss_search import LossSearch, loss_searches, objective

if TYPE_CHECKING:
    from harness.tuning.history import SearchHistory

_SAMPLERS = {
    "random": "random search (Bergstra and Bengio, JMLR 13:281, 2012)",
    "tpe": "tree-structured Parzen estimators (Bergstra et al., NeurIPS 2011)",
    "cmaes": "CMA-ES (Hansen and Ostermeier, Evolutionary Computation 9:159, 2001)",
}
_PRUNERS = {
    "median": "the median rule (Golovin et al., KDD 2017)",
    "percentile": "a percentile rule",
    "successive_halving": "asynchronous successive halving (Li et al., MLSys 2020)",
    "hyperband": "Hyperband (Li et al., JMLR 18:1, 2018)",
}


def budget_notes(searches: Sequence[LossSearch]) -> list[str]:
    """Return what a reader of curves and tables must know; unequal budgets come first."""
    return [
        *_unequal(searches),
        *_unfinished(searches),
        *_without_value(searches),
        "Configurations were chosen on validation patients only, with seeds that the study itself does not "
        "use; no test patient was seen.",
    ]


def budget(search: LossSearch) -> str:
    """Return the budget of one fold, as in ``20 configurations of 2 x 50 epochs``."""
    history = search.folds[0]
    inner = f"{history.inner_seeds} × " if history.inner_seeds > 1 else ""
    length = f"{inner}{_counted(history.epochs, 'epoch')}"
    if history.hours is not None:
        return f"{history.hours:g} h of a worker, in configurations of {length}"
    number = history.configurations or 0
    if history.pruner == "none":
        return f"{_counted(number, 'configuration')} of {length}"
    total = number * history.inner_seeds * history.epochs
    return f"{_counted(total, 'epoch')}, as many as {_counted(number, 'whole configuration')} of {length}"


def tuning_methods(results: StudyResults) -> list[str]:
    """Return the paragraphs of the methods section about tuning; none if nothing was tuned."""
    searches = loss_searches(results)
    paragraphs = [_search(results, searches), _inference(searches)] if searches else []
    return [*paragraphs, *transfers(results)]


def transfers(results: StudyResults) -> list[str]:
    """Say which alpha schedules were tuned in another study."""
    found = []
    for entry in results.document.resolved.get("losses", ()):
        alpha = entry.get("alpha")
        if isinstance(alpha, dict) and alpha.get("tuned_in"):
            found.append(f"{entry.get('label')} ({alpha['tuned_in']})")
    if not found:
        return []
    return [
        f"Transferred alpha schedules: {listing(found)}. They were found by the search that is named, in "
        "another study, and not tuned for this one."
    ]


def _search(results: StudyResults, searches: Sequence[LossSearch]) -> str:
    labels = list(dict.fromkeys(search.label for search in searches))
    histories = [history for search in searches for history in search.folds]
    samplers = list(dict.fromkeys(history.sampler for history in histories))
    pruners = [name for name in dict.fromkeys(history.pruner for history in histories) if name != "none"]
    budgets = list(dict.fromkeys(budget(search) for search in searches))
    folds = " and fold" if max(history.folds for history in histories) > 1 else ""
    drawn = {dimension.name for history in histories for dimension in history.dimensions}
    rate = ", learning rate included" if "learning_rate" in drawn else ""
    return (
        f"{listing(labels)} {'were' if len(labels) > 1 else 'was'} tuned on every dataset{folds} by "
        f"{listing([_SAMPLERS.get(name, name) for name in samplers])} with Optuna (Akiba et al., KDD "
        f"2019){rate}, with a budget of {' or '.join(budgets)} per loss{folds}. {_ended(pruners)} "
        f"{_value(results, histories)} Its seeds are not those of the study, and test patients were never "
        "read. The best configuration was frozen and trained anew with every seed of the study: the tuned "
        "arm. The default arm is the loss as declared. Table T4 lists spaces and budgets."
    )


def _ended(pruners: Sequence[str]) -> str:
    if not pruners:
        return "Every configuration was trained to the end."
    rules = listing([_PRUNERS.get(name, name) for name in pruners])
    return f"Hopeless configurations were ended early by {rules}; their epochs count as spent."


def _value(results: StudyResults, histories: "Sequence[SearchHistory]") -> str:
    inner = max(history.inner_seeds for history in histories)
    mean = f", the mean over its {inner} trainings" if inner > 1 else ""
    metrics = list(dict.fromkeys(history.metric for history in histories))
    what = [
        "best validation DSC" if name == "dsc" else f"{objective(results, name)} of the validation patients"
        for name in metrics
    ]
    return f"The value of a configuration is its {listing(what)}{mean}."


def _inference(searches: Sequence[LossSearch]) -> str:
    parts = []
    if any(search.independent for search in searches):
        parts.append(
            "Expected validation (Dodge et al., EMNLP 2019) of n configurations is the mean best value of "
            "all subsets of n, computed without replacement (Tang et al., ACL 2020)"
        )
    if any(search.band is not None for search in searches):
        parts.append(
            "bands hold for all n together with 95 % confidence (Lourie et al., NAACL 2024; package opda, "
            "equal-tailed bands of Learned-Miller and DeStefano)"
        )
    if any(not search.independent for search in searches):
        parts.append(
            "configurations of samplers that learn, or that prune, are not independent and get no band"
        )
    gain = (
        "The gain of the tuned over the default arm has a t interval in which patients and seeds both vary "
        "(crossed variance components, Satterthwaite's degrees of freedom, every loss with its own seed "
        "variance)."
    )
    return f"{'; '.join(parts)}. {gain}"


def _unequal(searches: Sequence[LossSearch]) -> list[str]:
    budgets = list(dict.fromkeys(budget(search) for search in searches))
    if len(budgets) > 1:
        return [f"BUDGETS DIFFER: {listing(budgets)}. Losses with different budgets must not be compared."]
    found = []
    for dataset in dict.fromkeys(search.dataset for search in searches):
        here = [search for search in searches if search.dataset == dataset and search.finished]
        least, most = (
            (end(here, key=lambda each: each.epochs) for end in (min, max)) if here else (None, None)
        )
        if least and most and least.epochs < most.epochs:
            found.append(
                f"EPOCHS SPENT DIFFER on {dataset}: from {least.epochs} ({least.label}) to {most.epochs} "
                f"({most.label})"
            )
    same = f"Every loss had the same budget: {budgets[0]}" if budgets else ""
    if found:
        return [f"{'; '.join(found)}. {same}."]
    folds = any(len(search.folds) > 1 for search in searches)
    return [f"{same}{' on every fold' if folds else ''}."] if same else []


def _unfinished(searches: Sequence[LossSearch]) -> list[str]:
    open_ones = [search for search in searches if not search.finished]
    if not open_ones:
        return []
    return [
        f"UNFINISHED: {len(open_ones)} of {len(searches)} searches go on; shown is what they have so far."
    ]


def _without_value(searches: Sequence[LossSearch]) -> list[str]:
    failed = sum(search.count("failed") for search in searches)
    pruned = sum(search.count("pruned") for search in searches)
    found = []
    if pruned:
        found.append(f"{_counted(pruned, 'configuration')} ended early: the epochs are counted as spent.")
    if failed:
        found.append(
            f"{_counted(failed, 'configuration')} failed: without a value, left out of curves. A training "
            "that diverged is no failure under DSC: it counts with what it had reached, 0 if nothing."
        )
    return found


def _counted(number: int, word: str) -> str:
    return f"{number:,} {word}{'' if number == 1 else 's'}"
