"""The sections of the page that are neither table of scores nor figure."""

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO
from typing import Any

from ruamel.yaml import YAML

from harness.store.privacy import document_without_paths, without_paths
from harness.store.schema import FINAL_STATES
from reports.page.missing import metrics_that_trials_lack
from reports.results import StudyResults
from reports.tuning.schedules import schedule_words


@dataclass(frozen=True)
class Banner:
    """A warning above everything else."""

    kind: str
    text: str


@dataclass(frozen=True)
class Listing:
    """A plain table of words.

    Attributes:
        caption: What it holds, for those who cannot see what is around it.
        columns: Titles.
        rows: As many cells each as there are columns.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def banners(results: StudyResults) -> list[Banner]:
    """Return what nobody may overlook."""
    found = []
    progress = results.progress
    if not progress.complete:
        failed = f", {progress.failed} failed" if progress.failed else ""
        state = f"Unfinished study: {progress.finished} of {progress.planned} trials have a result{failed}."
        shown = (
            "Test results are shown on request; this is recorded as a look at the test set."
            if results.part == "test"
            else "Validation results are shown; test results stay closed until the study is finished."
        )
        found.append(Banner("partial", f"{state} {shown}"))
    elif results.part == "validation":
        found.append(
            Banner("validation", "This study evaluates on validation patients: numbers are optimistic.")
        )
    told = (metrics_that_trials_lack(results), mixed_numerics(results))
    found += [Banner("partial", sentence) for sentence in told if sentence]
    if results.simulated:
        names = [name for name in results.datasets if name.endswith("-sim")]
        found.append(
            Banner("simulated", f"Simulated data: {', '.join(names)}. Nothing here is about real patients.")
        )
    return found


def failures(results: StudyResults) -> Listing:
    """List every trial that failed, diverged or collapsed, with its reason."""
    trials = results.trials
    bad = trials[trials["collapsed"] | trials["state"].isin(["failed", "diverged"])]
    rows = []
    for trial in bad.itertuples():
        state = "collapsed" if trial.state == "done" else str(trial.state)
        where = (str(trial.dataset), str(trial.label), str(trial.seed), str(trial.fold))
        rows.append((*where, state, str(trial.reason or "")))
    columns = ("Dataset", "Loss", "Seed", "Fold", "What", "Reason")
    return Listing("Trials that failed, diverged or collapsed.", columns, tuple(rows))


def alpha_schedules(results: StudyResults) -> Listing:
    """Give schedule and weights (w_R, w_B) in the first and last epoch of every compound with alpha."""
    rows: dict[tuple[str, ...], None] = {}
    weighted = results.curves.dropna(subset=["region_weight", "boundary_weight"])
    curves = dict(list(weighted.groupby(["dataset", "label", "seed", "fold"])))
    order = {label: position for position, label in enumerate(results.labels)}
    done = results.trials[results.trials["state"].isin(FINAL_STATES)]
    for trial in sorted(
        done.itertuples(), key=lambda row: (order[str(row.label)], str(row.dataset), row.fold)
    ):
        curve = curves.get((trial.dataset, trial.label, trial.seed, trial.fold))
        if curve is None or trial.state == "diverged":
            continue
        ends = [curve.iloc[0], curve.iloc[-1]]
        weights = [f"({end['region_weight']:.3g}, {end['boundary_weight']:.3g})" for end in ends]
        fold = str(trial.fold) if results.folds[str(trial.dataset)] > 1 else "–"
        place = (str(trial.label), str(trial.dataset), fold)
        rows[(*place, _schedule(trial.canonical), *weights)] = None
    columns = ("Loss", "Dataset", "Fold", "Schedule", "First epoch (w_R, w_B)", "Last epoch (w_R, w_B)")
    return Listing("Weights of the two terms of every compound.", columns, tuple(rows))


def _schedule(canonical: object) -> str:
    loss = canonical.get("loss", {}) if isinstance(canonical, Mapping) else {}
    alpha = loss.get("alpha") if isinstance(loss, Mapping) else None
    return schedule_words(alpha) if isinstance(alpha, Mapping) else "set by the loss itself"


def environments(results: StudyResults) -> Listing:
    """Return the distinct environments as columns of facts."""
    counts: dict[tuple[tuple[str, str], ...], int] = {}
    commands: dict[tuple[tuple[str, str], ...], set[str]] = {}
    finished = results.trials[results.trials["state"].isin(FINAL_STATES)]
    for facts, run in zip(finished["environment"], finished["command"], strict=True):
        texts = {str(name): without_paths(str(value)) for name, value in facts.items()}
        older = texts.pop("command", "–")  # among the facts before runs were kept
        command = run if isinstance(run, str) else older
        key = tuple(sorted(texts.items()))
        counts[key] = counts.get(key, 0) + 1
        commands.setdefault(key, set()).add(command)
    found = sorted(counts, key=lambda key: (-counts[key], key))
    names = sorted({name for key in found for name, _ in key})
    rows = [("trials", *(str(counts[key]) for key in found))]
    rows += [(name, *(dict(key).get(name, "–") for key in found)) for name in names]
    rows.append(("command", *("; ".join(sorted(commands[key])) for key in found)))
    columns = ("Fact", *(f"Environment {number}" for number in range(1, len(found) + 1)))
    return Listing("What the trials ran on.", columns, tuple(rows))


def mixed_numerics(results: StudyResults) -> str:
    """Return a warning if trials do not all come from one numerics class; empty if they do."""
    finished = results.trials[results.trials["state"].isin(FINAL_STATES)]
    classes = {
        _with_processor(numerics, facts)
        for numerics, facts in zip(finished["numerics"], finished["environment"], strict=True)
        if isinstance(numerics, str)  # of predictions made elsewhere nothing is known
    }
    if len(classes) < 2:
        return ""
    return (
        f"These trials come from {len(classes)} numerics classes (device, processor, threads, precision, "
        "layout, compiler, torch): the same job would not give the same bits in each, so part of a "
        "difference between losses may be theirs."
    )


def _with_processor(numerics: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Return a numerics class with the processor, which those of earlier trials on a CPU do not name."""
    processor = str(facts.get("processor", ""))
    told = "CUDA" in numerics or processor.replace(",", " ") in numerics
    return numerics, "" if told else processor


def looks(results: StudyResults) -> Listing:
    """List the distinct sets of test scores that somebody has analysed."""
    rows = tuple(
        (
            f"{look.at:%Y-%m-%d %H:%M} UTC",
            "complete" if look.complete else "unfinished",
            str(look.digest)[:16],
        )
        for look in results.looks.itertuples()
    )
    columns = ("When", "Study", "Digest of the test scores")
    return Listing("Looks at the test set.", columns, rows)


def study_text(results: StudyResults) -> str:
    """Return the resolved study as YAML, without anybody's folders."""
    stream = StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.representer.add_representer(type(None), _explicit_null)
    yaml.width = 100
    yaml.dump(document_without_paths(results.document.resolved), stream)
    return stream.getvalue()


def _explicit_null(representer: Any, _value: None) -> Any:
    return representer.represent_scalar("tag:yaml.org,2002:null", "null")
