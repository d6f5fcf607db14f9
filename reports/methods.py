"""The methods paragraph, written from what was really done."""

from collections.abc import Mapping
from typing import Any

from harness.study.in_words import (
    augmentation_words,
    network_words,
    optimizer_words,
    precision_words,
    schedule_words,
    variant_words,
)
from reports.methods_statistics import statistics_methods
from reports.results import StudyResults
from reports.tables.notes import checkpoint_note, listing, undefined_note
from reports.tuning.words import tuning_methods


def methods(results: StudyResults) -> list[str]:
    """Return the paragraphs of the methods section."""
    if not results.trained:
        return [_scored_only(results), _evaluation(results), *statistics_methods(results)]
    return [
        _design(results),
        _training(results),
        *tuning_methods(results),
        f"{_evaluation(results)} {_failed_runs()}",
        *statistics_methods(results),
    ]


def _scored_only(results: StudyResults) -> str:
    patients = results.cases.groupby("dataset")["patient"].nunique()
    names = listing([_with(results.titles[name], f"{patients[name]} patients") for name in results.datasets])
    return (
        f"We scored the predictions of {listing(results.external)} on {names}. {checkpoint_note(results)} "
        "The seed tells apart several trainings of one network."
    )


def _design(results: StudyResults) -> str:
    seeds = f"{results.seeds} seed{'s' if results.seeds > 1 else ''}"
    names = listing([_with(results.titles[name], _split(results, name)) for name in results.datasets])
    return (
        f"We compared {len(results.losses)} losses on {names} with {seeds} each. A seed index fixes initial "
        "weights, order of the data, augmentation and the border between training and validation patients, "
        f"identically for every loss; the test patients of a dataset are fixed. {_unit(results)}"
    )


def _with(title: str, more: str) -> str:
    """Add words in parentheses, to those that the title may end in."""
    return f"{title[:-1]}; {more})" if title.endswith(")") else f"{title} ({more})"


def _unit(results: StudyResults) -> str:
    torn = results.torn
    if not torn:
        return "All divisions are by patient."
    return f"Divisions are by patient, but for the published split of {listing(torn)}, which is by case."


def _split(results: StudyResults, dataset: str) -> str:
    folds = results.folds[dataset]
    patients = results.cases[results.cases["dataset"] == dataset]["patient"].nunique()
    if results.splits[dataset].get("kind") == "fixed":
        kind = "a printed training and validation set without a test set"
    else:
        kind = f"{folds}-fold cross-validation" if folds > 1 else "one fixed test set"
    return f"{patients} patients, {kind}"


def _training(results: StudyResults) -> str:
    resolved = results.document.resolved
    protocol = resolved.get("protocol", {})
    changes = listing([augmentation_words(each) for each in protocol.get("augment", ())])
    parts = [
        f"Every network was {network_words(resolved.get('model', {}))}, trained for {protocol.get('epochs')} "
        f"epochs with batches of {protocol.get('batch_size')} slices{_optimizer(results, protocol)}",
        *_step_words(protocol),
        *([precision_words(str(protocol["precision"]))] if "precision" in protocol else []),
        f"augmentation: {changes or 'none'}",
    ]
    share = protocol.get("oversample_foreground", 0)
    if share:
        parts.append(f"at least {100 * share:.0f} % of the slices of a batch held foreground")
    return f"{'; '.join(parts)}. {_variants(resolved)}{checkpoint_note(results)}{_tuning(results)}"


def _optimizer(results: StudyResults, protocol: Mapping[str, Any]) -> str:
    optimizer, schedule = protocol.get("optimizer"), protocol.get("lr_schedule")
    if not optimizer:
        return ""
    course = f" {schedule_words(schedule)}" if schedule else ""
    if results.searches:
        arms = " in the default arms"
        course = f", which{course}" if course else ""
    else:
        arms, course = "", f" that{course}" if course else ""
    return f" by {optimizer_words(optimizer)} with a learning rate of {optimizer['lr']:g}{arms}{course}"


def _step_words(protocol: Mapping[str, Any]) -> list[str]:
    """Say what is unusual about a step of the optimiser."""
    parts = []
    if protocol.get("accumulate", 1) > 1:
        parts.append(f"gradients of {protocol['accumulate']} batches were accumulated for a step")
    if protocol.get("clip_gradient"):
        parts.append(f"the norm of the gradient was clipped at {protocol['clip_gradient']:g}")
    return parts


def _tuning(results: StudyResults) -> str:
    resolved = results.document.resolved
    tuned = [str(entry.get("label")) for entry in resolved.get("losses", ()) if entry.get("alpha") == "tune"]
    if not tuned or results.searches:
        return ""
    return (
        f" The weight schedule of {listing(tuned)} was found by random search over "
        f"{resolved.get('tuning', {}).get('configurations')} configurations, judged by validation DSC."
    )


def _variants(resolved: Mapping[str, Any]) -> str:
    """Say what rows in parentheses change of the network or the protocol."""
    told = [f"{each['label']} ({variant_words(each)})" for each in resolved.get("variants") or ()]
    return f"Rows with a variant in parentheses differ in: {'; '.join(told)}. " if told else ""


def _evaluation(results: StudyResults) -> str:
    titles = results.metrics.set_index("name")["title"]
    names = listing([str(titles[name]) for name in results.main_metrics()])
    part = "test" if results.part == "test" else "validation"
    return (
        f"{names} were computed per case and class on the restacked volume with its physical spacing; "
        f"results are those of the {part} patients. The patient is the unit: its value is the mean over its "
        "cases and foreground classes. A run is one loss with one seed, all folds together. "
        f"{undefined_note(results, results.datasets)}"
    )


def _failed_runs() -> str:
    return (
        "A run counts as diverged when the loss or a weight "
        "stops being finite, and as collapsed when its validation DSC at the reported checkpoint is below "
        "0.05 or at least 95 % of the validation cases with foreground are predicted empty. No run is "
        "repeated with another seed."
    )
