"""The sentences on top of a comparison: which kind it is, what changed, what has to be known."""

from collections.abc import Iterator

import numpy as np

from harness.statistics.wording import names, title_of
from reports.compare.changes import Change, same_files
from reports.compare.shown import Shown
from reports.compare.side_by_side import SideBySide
from reports.page.content import Banner, banners
from reports.tables.notes import listing


def kind(beside: SideBySide) -> str:
    """Return what the studies share, and so what is compared, in a sentence or two."""
    losses = f"{len(beside.losses)} loss{'es' if len(beside.losses) > 1 else ''}"
    shared = beside.shared_datasets
    what = f"These {len(beside.studies)} studies share {losses}"
    if not shared:
        return f"{what} and no dataset: the same losses on other data. {_metric(beside)}"
    datasets = f"the dataset{'s' if len(shared) > 1 else ''} {listing(list(shared))}"
    others = [name for name in beside.datasets if name not in shared]
    more = f" {listing(others)} {'are' if len(others) > 1 else 'is'} in one study only." if others else ""
    return f"{what} and {datasets}: before and after, {_order(beside)}.{more} {_metric(beside)}"


def findings(shown: Shown) -> list[str]:
    """Return what the comparison found, each in a sentence."""
    return [
        *_same_trials(shown),
        *(sentence for group in _groups(shown) for sentence in _changed(group)),
        *_advice(shown),
        *_agreement(shown),
    ]


def warnings(beside: SideBySide) -> list[Banner]:
    """Return what nobody may overlook, each study's own warnings among it."""
    found = [
        Banner(each.kind, f"{results.document.name}: {each.text}")
        for results in beside.studies
        for each in banners(results)
    ]
    for name, labels in beside.unshared_losses.items():
        them = "it" if len(labels) == 1 else "them"
        left = f"Left out, because not every study has {them}: {names(labels)} of {name}."
        found.append(Banner("partial", left))
    found += [Banner("partial", sentence) for sentence in [*_other_losses(beside), *_other_files(beside)]]
    return found


def _order(beside: SideBySide) -> str:
    first, *rest = beside.names
    return f"from {first} to {listing(rest)}"


def _metric(beside: SideBySide) -> str:
    parts = {each.part for each in beside.studies}
    return f"All numbers are {title_of(beside.metric)} of the {parts.pop()} patients."


def _same_trials(shown: Shown) -> Iterator[str]:
    every = [keys for (study, _, label), keys in shown.beside.keys.items() if label in shown.beside.labels]
    shared = sum(map(len, every)) - len(frozenset[str]().union(*every))
    if shared:
        same = sorted({each.loss for each in shown.changes if each.basis == "same trials"})
        more = f" All runs of {names(same)} are: they are not compared with themselves." if same else ""
        trials = f"{shared} trial{'s are' if shared > 1 else ' is'}"
        yield f"{trials} shared between studies: the same networks under the same key.{more}"


def _groups(shown: Shown) -> list[list[Change]]:
    found: dict[tuple[str, str, str], list[Change]] = {}
    for each in shown.changes:
        found.setdefault((each.dataset, each.before, each.after), []).append(each)
    return list(found.values())


def _changed(group: list[Change]) -> Iterator[str]:
    first = group[0]
    where = f"On {first.dataset}, from {first.before} to {first.after},"
    tested = [each for each in group if each.difference is not None]
    if tested:
        by_words: dict[str, list[str]] = {}
        for each in tested:
            by_words.setdefault(each.words, []).append(each.loss)
        told = [f"{words}: {names(labels)}" for words, labels in by_words.items() if words != "not resolved"]
        number = len(by_words.get("not resolved", ()))
        if number == len(tested):
            told.append(
                f"none of {number} changes is resolved" if number > 1 else "the change is not resolved"
            )
        elif number:
            told.append(f"{number} of {len(tested)} changes not resolved")
        yield f"{where} {'; '.join(told)}."
    elif any(each.basis == "other patients" for each in group):
        yield f"{where} the test patients are others, so no change is tested."
    moved = [each for each in group if each.verdict_changed]
    if moved:
        told = [f"{each.loss} ({each.standings[0]} → {each.standings[1]})" for each in moved]
        yield f"{where} the standing changed, which is no test of a change: {names(told)}."
    else:
        yield f"{where} no standing changed."


def _advice(shown: Shown) -> Iterator[str]:
    for dataset in shown.beside.shared_datasets:
        advised = {
            place.study: place.cell.recommendation.loss or "none" for place in shown.beside.on(dataset)
        }
        if len(set(advised.values())) > 1:
            told = listing([f"{loss} in {study}" for study, loss in advised.items()])
            yield f"On {dataset} the recommended loss is another one: {told}."
        else:
            yield f"On {dataset} the recommended loss is the same: {next(iter(advised.values()))}."


def _agreement(shown: Shown) -> Iterator[str]:
    pairs = [each for each in shown.agreement.pairs() if np.isfinite(each[2])]
    if not pairs:
        yield "The agreement of rankings is undefined: no two studies rank two losses that differ."
        return
    for same in (True, False):
        own = [each for each in pairs if (each[0].dataset == each[1].dataset) == same]
        data = "the same dataset" if same else "other datasets"
        values = [tau for _, _, tau, _ in own]
        if len(values) == 1:
            first, second, tau, losses = own[0]
            one, other = shown.beside.place_name(first), shown.beside.place_name(second)
            yield f"Kendall's tau between the rankings of {one} and {other} is {tau:.2f} ({losses} losses)."
        elif values:
            yield (
                f"Kendall's tau between rankings of different studies on {data} is {min(values):.2f} to "
                f"{max(values):.2f} ({len(values)} pairs, median {np.median(values):.2f})."
            )


def _other_losses(beside: SideBySide) -> Iterator[str]:
    told = []
    for label in beside.labels:
        forms = {loss.expression for each in beside.studies for loss in each.losses if loss.label == label}
        if len(forms) > 1:
            told.append(f"{label} ({' or '.join(sorted(forms))})")
    if told:
        yield f"Losses of one label that are not the same: {names(told)}."


def _other_files(beside: SideBySide) -> Iterator[str]:
    for dataset in beside.shared_datasets:
        first, *rest = beside.on(dataset)
        for later in rest:
            if not same_files(beside, first, later):
                how = (
                    "another simulation, so its patients are others"
                    if dataset.endswith("-sim")
                    else "other files or prepared in another way; patients are matched by name"
                )
                yield f"{dataset} is not the same in {first.study} and {later.study}: {how}."
