"""The tables of tuning: spaces and budgets (T4), what was chosen, who leads at which budget, the gain.

Not imported by the package itself: :mod:`reports.tuning` needs its notes first.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from harness.statistics.expected_validation import Lead, leaders
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.notes import evaluation_notes, torn_notes
from reports.tables.registry import AnyTable, register_table
from reports.tables.scores import NOTHING
from reports.tuning.gain import HARM, Gain, gains, without_comparison
from reports.tuning.loss_search import LossSearch, loss_searches, objective, searched_datasets
from reports.tuning.words import budget, budget_notes, transfers


@register_table("T4", "tuning")
def tuning(results: StudyResults) -> list[AnyTable]:
    """Return the tables of tuning; none if nothing was tuned."""
    return list(tuning_tables(results))


def tuning_tables(results: StudyResults) -> list[WordTable]:
    """Return the tables of tuning that have rows; none if nothing was tuned."""
    tables = [make(results) for make in _TABLES] if results.searches else []
    return [table for table in tables if table.rows]


def spaces_table(results: StudyResults) -> WordTable:
    """Return T4, first part: what was drawn from where, by loss."""
    rows = dict.fromkeys(
        (search.label, each.name, str(each.space), _condition(each.when))
        for search in loss_searches(results)
        for each in search.folds[0].dimensions
    )
    spread: dict[str, list[tuple[str, ...]]] = {}
    for label, *rest in rows:
        spread.setdefault(label, []).append((label, *rest))
    grouped = [row for group in spread.values() for row in group]
    return WordTable(
        "t4_tuning_spaces",
        "What tuning draws from, by loss.",
        ("Loss", "Dimension", "Space", "Only if"),
        tuple((label, name, space, when or NOTHING) for label, name, space, when in grouped),
        (
            "Bounds are included; 'logarithmic' is uniform on a logarithmic scale, all others are uniform. A "
            "weight multiplies that of the declared loss.",
            *transfers(results),
        ),
        pd.DataFrame(grouped, columns=["loss", "dimension", "space", "only_if"]),
    )


def budgets_table(results: StudyResults) -> WordTable:
    """Return T4, second part: what every search was allowed and what it spent."""
    searches = loss_searches(results)
    data = pd.DataFrame([_spent(search) for search in searches])
    rows = tuple(
        (
            search.dataset,
            search.label,
            _unique(history.sampler for history in search.folds),
            _unique(history.pruner for history in search.folds),
            budget(search),
            _objective(results, search),
            _folds(search),
            *(str(search.count(state)) for state in ("complete", "pruned", "failed")),
            f"{search.epochs:,}",
            _hours(search.hours),
        )
        for search in searches
    )
    columns = ("Dataset", "Loss", "Sampler", "Pruner", "Budget of a search", "Objective", "Folds searched")
    return WordTable(
        "t4_tuning_budgets",
        "Budget of every search and what was spent, all folds together.",
        (*columns, "Done", "Pruned", "Failed", "Epochs spent", "Worker hours"),
        rows,
        tuple(budget_notes(searches)),
        data,
        (*[False] * 6, *[True] * 6),
    )


def chosen_table(results: StudyResults) -> WordTable:
    """Return the best configuration of every search."""
    rows = [row for search in loss_searches(results) for row in _chosen(results, search)]
    columns = ("Dataset", "Fold", "Loss", "Chosen", "In the search", "Tuned arm", "Default arm")
    shown = tuple(
        (
            str(row["dataset"]),
            NOTHING if row["folds"] == 1 else str(row["fold"]),
            str(row["loss"]),
            f"{row['chosen']}{'' if row['finished'] else ' (so far)'}",
            *(_number(row[key]) for key in ("search_value", "tuned_value", "default_value")),
        )
        for row in rows
    )
    return WordTable(
        "tuning_chosen",
        "Chosen configurations and their validation values.",
        columns,
        shown,
        (
            "'In the search' is the value by which a configuration was chosen: the best of many, therefore "
            "optimistic. The arms are the mean best validation DSC over the seeds of the study, where DSC is "
            "the objective and they are trained already.",
        ),
        pd.DataFrame(rows),
        (*[False] * 4, *[True] * 3),
    )


def leaders_table(results: StudyResults) -> WordTable:
    """Return which tuned loss has the highest expected validation at which number of configurations."""
    rows = [
        (dataset, lead, name, value)
        for dataset in searched_datasets(results)
        for lead, name, value in _leads(loss_searches(results, dataset))
    ]
    shown = tuple(
        (
            dataset,
            _range(lead),
            name,
            f"{values[0]:.3f}" + (f" to {values[1]:.3f}" if lead.last > lead.first else ""),
        )
        for dataset, lead, name, values in rows
    )
    data = [(dataset, lead.first, lead.last, name, *values) for dataset, lead, name, values in rows]
    return WordTable(
        "tuning_leaders",
        "Which tuned loss leads at which budget: the best expected validation after n configurations.",
        ("Dataset", "Configurations n", "Leads", "Expected validation"),
        shown,
        (
            "Curves cross where one row ends and the next begins. Leading is a point estimate and no test; "
            "where the bands of the figure overlap, the order is open.",
        ),
        pd.DataFrame(data, columns=["dataset", "first", "last", "loss", "value_at_first", "value_at_last"]),
        (False, True, False, True),
    )


def gain_table(results: StudyResults) -> WordTable:
    """Return what the tuned arm gained over the default one."""
    found = gains(results)
    columns = ("Dataset", "Loss", "Default", "Tuned", "Gain in DSC (95 % interval)", "N", "S", "Harmed")
    part = "test" if results.part == "test" else "VALIDATION"
    return WordTable(
        "tuning_gain",
        f"DSC of the tuned minus the default arm on {part} patients.",
        (*columns, "Speaks about"),
        tuple(_gain_row(gain) for gain in found),
        (
            *evaluation_notes(results),
            "The interval is a t interval over patients and seeds (crossed variance components), not "
            "adjusted for the number of losses. With one seed it speaks about the trained networks, not "
            "about the losses.",
            "N patients, S seeds (default and tuned arm where they differ). Harmed: patients whose DSC, the "
            f"mean over seeds, falls by more than {HARM:g}.",
            *_left_out(found),
            *_nothing_left(results),
            *torn_notes(results, list(dict.fromkeys(gain.dataset for gain in found))),
        ),
        pd.DataFrame([_gain_data(gain, results.part) for gain in found]),
        (False, False, *[True] * 6, False),
    )


_TABLES: tuple[Callable[[StudyResults], WordTable], ...] = (
    gain_table,
    budgets_table,
    spaces_table,
    chosen_table,
    leaders_table,
)


def _condition(when: tuple[str, object] | None) -> str:
    return f"{when[0]} is {_word(when[1])}" if when else ""


def _word(value: object) -> str:
    """Return a value of a dimension as study files write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _unique(words: Iterable[str]) -> str:
    return ", ".join(dict.fromkeys(words))


def _objective(results: StudyResults, search: LossSearch) -> str:
    inner = search.folds[0].inner_seeds
    mean = f", mean of {inner} seeds" if inner > 1 else ""
    arrow = "↑" if search.higher_is_better else "↓"
    return f"validation {objective(results, search.folds[0].metric)} {arrow}{mean}"


def _folds(search: LossSearch) -> str:
    total = search.folds[0].folds
    state = "" if search.finished else ", unfinished"
    return f"{len(search.folds)} of {total}{state}" if total > 1 else f"1{state}"


def _hours(hours: float) -> str:
    return f"{hours:.3g}" if hours < 100 else f"{hours:,.0f}"


def _spent(search: LossSearch) -> dict[str, object]:
    first = search.folds[0]
    return {
        "dataset": search.dataset,
        "loss": search.label,
        "default": search.default or "",
        "sampler": first.sampler,
        "pruner": first.pruner,
        "metric": first.metric,
        "inner_seeds": first.inner_seeds,
        "epochs_per_training": first.epochs,
        "configurations": first.configurations,
        "hours": first.hours,
        "folds": first.folds,
        "folds_searched": len(search.folds),
        "finished": search.finished,
        **{state: search.count(state) for state in ("complete", "pruned", "failed", "running")},
        "epochs_spent": search.epochs,
        "worker_hours": search.hours,
    }


def _chosen(results: StudyResults, search: LossSearch) -> Iterator[dict[str, object]]:
    for history in search.folds:
        best = history.best
        arms = [
            _arm_value(results, search.dataset, label, history.fold) if history.metric == "dsc" else np.nan
            for label in (search.label, search.default)
        ]
        yield {
            "dataset": search.dataset,
            "fold": history.fold,
            "folds": history.folds,
            "loss": search.label,
            "chosen": _parameters(best.parameters) if best else "none: no configuration has a value",
            "search_value": np.nan if best is None or best.value is None else best.value,
            "tuned_value": arms[0],
            "default_value": arms[1],
            "expression": best.loss if best else "",
            "finished": history.finished,
        }


def _parameters(parameters: Mapping[str, object]) -> str:
    words = (
        f"{'learning rate' if name == 'learning_rate' else name} {_word(value)}"
        for name, value in parameters.items()
    )
    return ", ".join(words) or "nothing to choose"


def _arm_value(results: StudyResults, dataset: str, label: str | None, fold: int) -> float:
    """Mean best validation DSC of an arm over the seeds of the study."""
    trials = results.trials
    own = trials[(trials["dataset"] == dataset) & (trials["label"] == label) & (trials["fold"] == fold)]
    values = own.loc[own["state"] == "done", "best_val_dsc"].dropna()
    return float(values.mean()) if len(values) else float("nan")


def _number(value: object) -> str:
    return NOTHING if not isinstance(value, float) or np.isnan(value) else f"{value:.3f}"


def _leads(searches: Sequence[LossSearch]) -> list[tuple[Lead, str, tuple[float, float]]]:
    curves = {each.label: each.expected for each in searches if each.independent and len(each.expected)}
    if len(curves) < 2:
        return []
    higher = searches[0].higher_is_better
    return [
        (
            lead,
            " = ".join(lead.names),
            (float(curves[lead.names[0]][lead.first - 1]), float(curves[lead.names[0]][lead.last - 1])),
        )
        for lead in leaders(curves, higher_is_better=higher)
    ]


def _range(lead: Lead) -> str:
    return f"{lead.first} to {lead.last}" if lead.last > lead.first else str(lead.first)


def _gain_row(gain: Gain) -> tuple[str, ...]:
    found = gain.interval
    text = _signed(gain.difference)
    text += f" ({_signed(found.low)} to {_signed(found.high)})" if found else f" (no interval: {gain.why})"
    seeds = str(gain.seeds[0]) if gain.seeds[0] == gain.seeds[1] else f"{gain.seeds[0]} and {gain.seeds[1]}"
    return (
        gain.dataset,
        gain.default,
        *(f"{mean:.3f}" for mean in gain.means),
        text,
        str(gain.patients),
        seeds,
        NOTHING if np.isnan(gain.harmed) else f"{100 * gain.harmed:.0f} %",
        found.scope if found else NOTHING,
    )


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _left_out(found: Sequence[Gain]) -> list[str]:
    parts = [
        f"{gain.dataset}, {gain.default}: {gain.left_out[0]} default and {gain.left_out[1]} tuned"
        for gain in found
        if any(gain.left_out)
    ]
    return [f"Collapsed or diverged runs do not enter: {'; '.join(parts)}."] if parts else []


def _nothing_left(results: StudyResults) -> list[str]:
    arms = [f"{label} on {dataset}" for dataset, label in without_comparison(results)]
    return [f"Without a comparison, as every run collapsed or diverged: {'; '.join(arms)}."] if arms else []


def _gain_data(gain: Gain, part: str) -> dict[str, object]:
    found = gain.interval
    return {
        "dataset": gain.dataset,
        "default": gain.default,
        "tuned": gain.tuned,
        "part": part,
        "default_mean": gain.means[0],
        "tuned_mean": gain.means[1],
        "gain": gain.difference,
        "low": found.low if found else np.nan,
        "high": found.high if found else np.nan,
        "df": found.df if found else np.nan,
        "patients": gain.patients,
        "default_seeds": gain.seeds[0],
        "tuned_seeds": gain.seeds[1],
        "harmed_share": gain.harmed,
        "scope": found.scope if found else gain.why,
        "default_left_out": gain.left_out[0],
        "tuned_left_out": gain.left_out[1],
    }
