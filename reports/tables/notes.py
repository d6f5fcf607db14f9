"""Footnotes: the sentences without which the numbers of a table cannot be read."""

from collections.abc import Sequence

from reports.results import StudyResults, photographs_among

BOLD = (
    "Bold marks the best mean of a column and an underline the second best; neither is a test of a difference"
)

_MOST_RUNS = 15
"""Failed runs that a note names."""


def table_notes(results: StudyResults, datasets: Sequence[str]) -> tuple[str, ...]:
    """Return the notes of a score table that shows these datasets, without a word on inference."""
    return (
        *_failure_notes(results, datasets),
        spread_note(results),
        *evaluation_notes(results),
        *(patients_note(results, dataset) for dataset in datasets),
        *torn_notes(results, datasets),
        *photograph_notes(results, datasets),
        checkpoint_note(results),
        undefined_note(results, datasets),
        *simulation_notes(results, datasets),
    )


def spread_note(results: StudyResults) -> str:
    """Say what mean and spread are."""
    value = (
        "The value of a patient is the mean over its cases and foreground classes, that of a run the mean "
        "over patients"
    )
    if results.seeds == 1:
        return f"{value}. There is one seed (S = 1), so no standard deviation over seeds can be given."
    return (
        f"{value}; cells are the mean over S = {results.seeds} seeds and, in brackets, the standard "
        "deviation over seeds (ddof\u00a01)."
    )


def evaluation_notes(results: StudyResults) -> list[str]:
    """Say which cases are shown, if they are not the test cases of a finished study."""
    if results.part == "validation":
        why = (
            "the study declares 'evaluation: validation'"
            if results.document.resolved.get("evaluation") == "validation"
            else "the study is unfinished"
        )
        return [
            f"VALIDATION results, because {why}: the same patients chose checkpoints and learning rates, "
            "so these numbers are optimistic."
        ]
    if not results.progress.complete:
        return ["TEST results of an unfinished study, shown on request (a look at the test set)."]
    return []


def patients_note(results: StudyResults, dataset: str) -> str:
    """Say how many patients a dataset's numbers rest on, and how it was divided."""
    runs = results.run_values[results.run_values["dataset"] == dataset]["patients"]
    if runs.empty:
        return f"{dataset}: no complete run yet."
    low, high = int(runs.min()), int(runs.max())
    number = f"{low}" if low == high else f"{low} to {high}"
    folds = results.folds[dataset]
    if results.part == "validation":
        where = f"N = {number} validation patients per run, drawn anew for every seed"
    elif folds > 1:
        where = f"N = {number} patients, each tested once, out of fold"
    else:
        where = f"N = {number} test patients, the same for all losses and seeds"
    overlap = f"; {folds} folds, whose training sets overlap" if folds > 1 else ""
    return f"{dataset}: {where}{overlap}."


def torn_notes(results: StudyResults, datasets: Sequence[str]) -> list[str]:
    """Say where a published split has cases of one patient on both sides."""
    torn = [dataset for dataset in datasets if dataset in results.torn]
    if not torn:
        return []
    return [
        f"{listing(torn)}: the published split divides cases, not patients; patients with cases on both "
        "sides make these scores too good."
    ]


def photograph_notes(results: StudyResults, datasets: Sequence[str]) -> list[str]:
    """Say where millimetres are pixels; tables of photographs alone say ``px``."""
    flat = [dataset for dataset in datasets if dataset in photographs_among(results.cases)]
    if not flat or len(flat) == len(results.datasets):
        return []
    return [f"{listing(flat)}: photographs of no known size; their distances are in pixels, not in mm."]


def checkpoint_note(results: StudyResults) -> str:
    """Say which weights were scored."""
    if not results.trained:
        return "The predictions were made elsewhere; how their checkpoints were chosen is not known here."
    chosen = (
        "Checkpoint: the last epoch."
        if results.checkpoint == "last"
        else "Checkpoint: the epoch with the best validation DSC, the same rule for all losses."
    )
    if results.external:
        chosen += f" The predictions of {listing(results.external)} were made elsewhere and only scored here."
    return chosen


def undefined_note(results: StudyResults, datasets: Sequence[str]) -> str:
    """State the undefined-value policy and how often it was needed."""
    policy = (
        "Undefined values (policy 'worst'): both masks empty gives DSC 1 and distance 0; one mask empty "
        "gives DSC 0 and the image diagonal as distance"
    )
    scores = results.scores
    shown = scores[scores["metric"].isin(results.main_metrics()) & scores["dataset"].isin(datasets)]
    undefined = shown["value"].isna().groupby(shown["metric"].astype(str))
    imputed, values = undefined.sum().to_dict(), undefined.size().to_dict()
    titles = results.metrics.set_index("name")["title"]
    parts = [
        f"{imputed[name]} of {values[name]} {titles[name]} values"
        for name in results.main_metrics()
        if name in values
    ]
    return f"{policy}; imputed: {listing(parts)}." if parts else f"{policy}."


def simulation_notes(results: StudyResults, datasets: Sequence[str]) -> list[str]:
    """Say which datasets are simulated."""
    names = [name for name in datasets if name.endswith("-sim")]
    if not names:
        return []
    everything = len(names) == len(datasets)
    return [
        "All data are SIMULATED: these numbers say nothing about patients."
        if everything
        else f"SIMULATED data: {listing(names)}."
    ]


def _failure_notes(results: StudyResults, datasets: Sequence[str]) -> list[str]:
    runs = results.runs[results.runs["dataset"].isin(datasets)]
    failed = runs[runs["collapsed"] | runs["diverged"]]
    if failed.empty:
        return ["No run collapsed or diverged."] if results.progress.complete else []
    kinds = [
        f"{dataset}, {label}, seed {seed} ({'diverged' if diverged else 'collapsed'})"
        for dataset, label, seed, diverged in zip(
            failed["dataset"], failed["label"], failed["seed"], failed["diverged"], strict=True
        )
    ]
    rest = len(kinds) - _MOST_RUNS
    more = f"; and {rest} more, which Table T6 counts" if rest > 0 else ""
    return [
        "Superscript k/n: k of n runs collapsed or diverged. Collapsed runs enter with the scores they have; "
        f"diverged runs have none and are counted only. They are: {'; '.join(kinds[:_MOST_RUNS])}{more}."
    ]


def listing(words: Sequence[str]) -> str:
    """Join words as in a sentence.

    >>> listing(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))
