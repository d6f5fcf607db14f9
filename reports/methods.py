"""The methods paragraph, written from what was really done."""

from collections.abc import Mapping
from typing import Any

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
    names = listing([f"{results.titles[name]} ({patients[name]} patients)" for name in results.datasets])
    return (
        f"We scored the predictions of {listing(results.external)} on {names}. {checkpoint_note(results)} "
        "The seed tells apart several trainings of one network."
    )


def _design(results: StudyResults) -> str:
    seeds = f"{results.seeds} seed{'s' if results.seeds > 1 else ''}"
    names = listing([f"{results.titles[name]} ({_split(results, name)})" for name in results.datasets])
    return (
        f"We compared {len(results.losses)} losses on {names} with {seeds} each. A seed index fixes initial "
        "weights, order of the data, augmentation and the border between training and validation patients, "
        f"identically for every loss; the test patients of a dataset are fixed. {_unit(results)}"
    )


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


_SCHEDULE_WORDS = {
    "plateau": "multiplied by {factor:g} after {patience} epochs without a gain in validation DSC",
    "poly": "falling as (1 - epoch / epochs) ** {power:g}",
    "cosine": "falling along half a cosine to {floor:g} of its start",
    "constant": "kept constant",
}


def _schedule_words(schedule: Mapping[str, Any]) -> list[str]:
    words = _SCHEDULE_WORDS.get(str(schedule.get("name")))
    return [words.format(**schedule)] if words else []


def _step_words(protocol: Mapping[str, Any]) -> list[str]:
    """Say what is unusual about a step of the optimiser."""
    parts = []
    if protocol.get("accumulate", 1) > 1:
        parts.append(f"gradients of {protocol['accumulate']} batches accumulated for a step")
    if protocol.get("clip_gradient"):
        parts.append(f"their norm clipped at {protocol['clip_gradient']:g}")
    return parts


def _training(results: StudyResults) -> str:
    resolved = results.document.resolved
    protocol, model = resolved.get("protocol", {}), resolved.get("model", {})
    optimizer, schedule = protocol.get("optimizer", {}), protocol.get("lr_schedule", {})
    options = ", ".join(f"{key} {value}" for key, value in model.items() if key != "name")
    parts = [f"Every model was a {model.get('name', 'network')}" + (f" ({options})" if options else "")]
    parts.append(
        f"trained for {protocol.get('epochs')} epochs with batches of {protocol.get('batch_size')} slices"
    )
    arms = " in the default arms" if results.searches else ""
    parts.append(
        f"by {optimizer.get('name')} with learning rate {optimizer.get('lr'):g}{arms}" if optimizer else ""
    )
    parts += _schedule_words(schedule)
    parts += _step_words(protocol)
    augment = listing([_augmentation(each) for each in protocol.get("augment", ())]) or "none"
    tuned = [str(entry.get("label")) for entry in resolved.get("losses", ()) if entry.get("alpha") == "tune"]
    budget = resolved.get("tuning", {}).get("configurations")
    tuning = (
        f" The weight schedule of {listing(tuned)} was found by random search over {budget} configurations, "
        "judged by validation DSC."
        if tuned and not results.searches
        else ""
    )
    share = protocol.get("oversample_foreground", 0)
    if share:
        augment += f"; at least {share:.0%} of the slices of a batch held foreground"
    return (
        f"{', '.join(filter(None, parts))}; precision {protocol.get('precision')}, augmentation: {augment}. "
        f"{_variants(resolved)}{checkpoint_note(results)}{tuning}"
    )


def _variants(resolved: Mapping[str, Any]) -> str:
    """Say what rows in parentheses change of the network or the protocol."""
    told = []
    for variant in resolved.get("variants") or ():
        changes = {**variant.get("model", {}), **variant.get("protocol", {})}
        words = ", ".join(f"{key} {value if value != [] else 'none'}" for key, value in changes.items())
        told.append(f"{variant['label']} ({words})")
    return f"Rows with a variant in parentheses differ in: {'; '.join(told)}. " if told else ""


def _augmentation(resolved: str | Mapping[str, Any]) -> str:
    if isinstance(resolved, str):  # in databases from before augmentations had parameters
        return resolved
    options = ", ".join(f"{key} {value}" for key, value in resolved.items() if key != "name")
    return f"{resolved['name']} ({options})" if options else str(resolved["name"])


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
