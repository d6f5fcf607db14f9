"""The tables of a comparison."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from harness.statistics.cell import LossRow
from harness.statistics.versus import words_for
from harness.statistics.wording import margin_words, title_of
from reports.compare.changes import Change
from reports.compare.protocols import differences
from reports.compare.shown import Shown
from reports.compare.side_by_side import Place, SideBySide
from reports.results import ListedLoss
from reports.tables.model import WordTable

NOTHING = "–"


def verdicts_table(shown: Shown) -> WordTable:
    """Return what each study recommends on each dataset."""
    rows = []
    for place in shown.beside.places:
        advice = place.cell.recommendation
        rows.append(
            {
                "study": place.study,
                "dataset": place.dataset,
                "patients": str(len(place.block.patients)),
                "seeds": _range([row.seeds for row in place.cell.rows]),
                "recommended": advice.loss or "none",
                "how sure": advice.why if advice.loss is None else advice.strength,
            }
        )
    return WordTable(
        "verdicts",
        f"What each study says of {title_of(shown.beside.metric)}.",
        ("Study", "Dataset", "Patients", "Seeds of use", "Recommended loss", "How sure"),
        tuple(tuple(row.values()) for row in rows),
        ("Each study is answered by itself, with all of its losses and by its own plan of analysis.",),
        pd.DataFrame(rows),
    )


def standings_table(shown: Shown) -> WordTable:
    """Return the mean and the standing of every shared loss in every study and dataset."""
    beside = shown.beside
    rows, data = [], []
    for loss in beside.losses:
        found = [(place, place.row(loss.label)) for place in beside.places]
        told = [NOTHING if row is None else _standing(place.value(loss.label), row) for place, row in found]
        rows.append((loss.label, loss.family, *told))
        data += [_mean(place, loss, row) for place, row in found if row is not None]
    mean = "geometric mean" if beside.scale.log else "mean"
    spread = " SDs are those of the arithmetic means of runs." if beside.scale.log else ""
    return WordTable(
        "means_and_standings",
        f"{title_of(beside.metric)} of the shared losses: {mean} (SD over seeds) and standing.",
        ("Loss", "Family", *map(beside.place_name, beside.places)),
        tuple(rows),
        (
            f"Runs that collapsed are left out of the means.{spread} The standing is that of the study's own "
            "answer: safe losses are proven to be within the margin of the best, possibly best ones cannot "
            "be told from it, inferior ones are proven to be worse than another loss of that study.",
            "Means of different datasets, or under different protocols, are no test of a difference.",
        ),
        pd.DataFrame(data),
    )


def reference_table(shown: Shown) -> WordTable:
    """Return the differences from the common reference in margins."""
    beside = shown.beside
    data = [row for place in beside.places for row in reference_rows(beside, place)]
    found = {(row["study"], row["dataset"], row["loss"]): row for row in data}
    rows = []
    for loss in beside.losses:
        if loss.label != beside.reference:
            own = [found.get((place.study, place.dataset, loss.label)) for place in beside.places]
            rows.append((loss.label, *(NOTHING if each is None else _in_margins(each) for each in own)))
    return WordTable(
        "reference_differences",
        f"Differences in {title_of(beside.metric)} from {beside.reference}, in margins.",
        ("Loss", *map(beside.place_name, beside.places)),
        tuple(rows),
        (
            f"Positive differences favour the loss over {beside.reference}, which "
            + (
                "every study declares as a reference."
                if beside.declared
                else "stands for a reference: the studies declare none in common."
            ),
            f"One margin is the largest difference that is negligible: {margins_words(beside)}. The interval "
            "(95 %) is over patients and seeds and not adjusted; the word is, by Holm over all pairs of "
            "losses of that study and dataset.",
        ),
        pd.DataFrame(data, columns=None if data else ["study", "dataset", "loss", "difference"]),
    )


def reference_rows(beside: SideBySide, place: Place) -> Iterator[dict[str, Any]]:
    """Yield the difference of every shared loss from the reference, in margins; none without a comparison."""
    comparison = place.cell.comparison
    if comparison is None or beside.reference not in comparison.pairs.losses:
        return
    pairs, margin = comparison.pairs, place.cell.asked.margin
    at, half = pairs.losses.index(beside.reference), pairs.half_width(0.025)
    same = pairs.equivalence_p(margin)
    for label in beside.labels:
        if label == beside.reference or label not in pairs.losses:
            continue
        i = pairs.losses.index(label)
        own = float(pairs.difference[i, at])
        ends = own, own - float(half[i, at]), own + float(half[i, at])
        p = float(comparison.holm[i, at])
        words = words_for(p, float(same[i, at]), ends, margin, place.cell.asked.alpha)
        yield {
            "study": place.study,
            "dataset": place.dataset,
            "loss": label,
            "reference": beside.reference,
            **dict(zip(("difference", "low", "high"), (end / margin for end in ends), strict=True)),
            "margin": margin,
            "holm_p": p,
            "words": words,
        }


def changes_table(shown: Shown) -> WordTable | None:
    """Return the changes from the first study to the later ones; None where no dataset is shared."""
    if not shown.changes:
        return None
    beside = shown.beside
    several = len(beside.studies) > 2
    columns = (
        *("Dataset", "Loss", *(("From", "To") if several else ()), "Before", "After"),
        *("Change (95 % interval)", "Holm p", "What it says", "Standing", "Patients", "Runs"),
    )
    unit = f"−log({title_of(beside.metric)} + ε)" if beside.scale.log else title_of(beside.metric)
    return WordTable(
        "changes",
        f"Change of {unit} from the first study to each later one; positive changes are improvements.",
        columns,
        tuple(_change_row(each, several) for each in shown.changes),
        tuple(_change_notes(shown)),
        pd.DataFrame([_change_data(each) for each in shown.changes]),
    )


def agreement_table(shown: Shown) -> WordTable:
    """Return Kendall's tau between studies."""
    rows, data = [], []
    for first, second, tau, losses in shown.agreement.pairs():
        names = shown.beside.place_name(first), shown.beside.place_name(second)
        rows.append((*names, f"{tau:.2f}" if np.isfinite(tau) else "undefined", str(losses)))
        data.append(
            {
                "study_a": first.study,
                "dataset_a": first.dataset,
                "study_b": second.study,
                "dataset_b": second.dataset,
                "tau": tau,
                "losses": losses,
            }
        )
    return WordTable(
        "rank_agreement",
        f"Agreement of the rankings by {title_of(shown.beside.metric)} between studies.",
        ("One", "Other", "Kendall's tau", "Losses"),
        tuple(rows),
        (
            "Tau-b over the losses that both rank by their means: 1 is the same order, 0 no relation, −1 the "
            "reverse. It has no interval here, and says little with few losses or means that are close.",
        ),
        pd.DataFrame(data),
    )


def protocols_table(shown: Shown) -> WordTable | None:
    """Return what the study files differ in; None if in nothing."""
    found = differences(shown.beside.studies)
    if not found:
        return None
    names = shown.beside.names
    data = [{"key": key, **dict(zip(names, values, strict=True))} for key, values in found]
    return WordTable(
        "protocols",
        "What the study files differ in, with all defaults filled in.",
        ("Key", *names),
        tuple((key, *values) for key, values in found),
        ("Keys that are the same in all studies are not listed.",),
        pd.DataFrame(data),
    )


TABLES: Sequence[tuple[str, Callable[[Shown], WordTable | None]]] = (
    ("TC1", verdicts_table),
    ("TC2", standings_table),
    ("TC3", reference_table),
    ("TC4", changes_table),
    ("TC5", agreement_table),
    ("TC6", protocols_table),
)
"""In the order of the page."""


def margins_words(beside: SideBySide) -> str:
    """Return the margins of all studies in a sentence."""
    margins = {
        beside.place_name(place): margin_words(place.block.scale, place.cell.asked.margin)
        for place in beside.places
    }
    if len(set(margins.values())) == 1:
        return next(iter(margins.values()))
    return "; ".join(f"{name}: {margin}" for name, margin in margins.items())


def _standing(mean: float, row: LossRow) -> str:
    if not np.isfinite(mean):
        return row.standing
    spread = f" ({row.sd_seeds:.3f})" if np.isfinite(row.sd_seeds) else ""
    return f"{mean:.3f}{spread}, {row.standing}"


def _mean(place: Place, loss: ListedLoss, row: LossRow) -> dict[str, Any]:
    return {
        "study": place.study,
        "dataset": place.dataset,
        "family": loss.family,
        "loss": loss.label,
        "metric": place.block.metric,
        "mean": place.value(loss.label),
        "sd_over_seeds": row.sd_seeds,
        "low": row.interval[0],
        "high": row.interval[1],
        "seeds": row.seeds,
        "standing": row.standing,
    }


def _in_margins(row: dict[str, Any]) -> str:
    return f"{row['difference']:+.1f} [{row['low']:+.1f}, {row['high']:+.1f}] {row['words']}".replace(
        "-", "−"
    )


def _change_row(change: Change, several: bool) -> tuple[str, ...]:
    before, after = (_number(mean, sd) for mean, sd in zip(change.means, change.sds, strict=True))
    standing = change.standings[0]
    if change.verdict_changed:
        standing = f"{change.standings[0]} → {change.standings[1]}"
    return (
        change.dataset,
        change.loss,
        *((change.before, change.after) if several else ()),
        before,
        after,
        _difference(change),
        NOTHING if change.difference is None else f"{change.holm:.2g}",
        change.words,
        standing,
        _patients(change),
        _run_words(change),
    )


def _difference(change: Change) -> str:
    own = change.difference
    if own is None:
        return "0" if change.basis == "same trials" else NOTHING
    return f"{_signed(own.difference)} ({_signed(own.low)} to {_signed(own.high)})"


def _change_data(change: Change) -> dict[str, Any]:
    own, nan = change.difference, float("nan")
    return {
        "dataset": change.dataset,
        "loss": change.loss,
        "before": change.before,
        "after": change.after,
        "basis": change.basis,
        "mean_before": change.means[0],
        "mean_after": change.means[1],
        "sd_over_seeds_before": change.sds[0],
        "sd_over_seeds_after": change.sds[1],
        "difference": nan if own is None else own.difference,
        "low": nan if own is None else own.low,
        "high": nan if own is None else own.high,
        "df": nan if own is None else own.df,
        "p": nan if own is None else own.p,
        "holm_p": change.holm,
        "words": change.words,
        "standing_before": change.standings[0],
        "standing_after": change.standings[1],
        "patients": " and ".join(map(str, change.patients)),
        "runs_before": change.runs[0],
        "runs_after": change.runs[1],
        "trials_shared": change.shared,
    }


def _change_notes(shown: Shown) -> Iterator[str]:
    kinds = {change.basis for change in shown.changes}
    if "same patients" in kinds:
        yield (
            "Where the patients are the same, the interval of a change is over patients and seeds (crossed "
            "variances, unadjusted, 95 %); its p and the words are adjusted by Holm over the losses of a "
            f"dataset and pair of studies. Negligible is less than {margins_words(shown.beside)}."
        )
        yield (
            "Runs of two studies count as independent, also those of one seed index; where studies share "
            "some of their trials, the interval is wider than it need be."
        )
    if "same networks" in kinds:
        yield (
            "With one run of a loss in a study its interval is over patients only: it is about these trained "
            "networks, not about the loss or the protocol."
        )
    if "other patients" in kinds:
        yield (
            "Where fewer than five test patients are the same, the means stand side by side with their SDs "
            "over seeds: nothing is paired, and no change is tested."
        )
    if "same trials" in kinds:
        yield "Where all trials of a loss are the same ones (same keys), there is nothing to compare."
    if shown.beside.scale.log:
        yield (
            "A change of logarithms is a ratio of distances: −log(1.1) = −0.095 is ten per cent more. ε is "
            "half the smallest pixel spacing."
        )
    yield (
        "Before and after are means over all test patients and runs of use of each study; the change is of "
        "the patients that both have in common. A standing that changed is no test of a change."
    )


def _number(mean: float, sd: float) -> str:
    if not np.isfinite(mean):
        return NOTHING
    return f"{mean:.3f} ({sd:.3f})" if np.isfinite(sd) else f"{mean:.3f}"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _patients(change: Change) -> str:
    if not change.patients:
        return NOTHING
    if len(change.patients) == 1:
        return f"{change.patients[0]} in common"
    return f"{change.patients[0]} and {change.patients[1]}, others"


def _run_words(change: Change) -> str:
    shared = f", {change.shared} trial{'s' if change.shared > 1 else ''} shared" if change.shared else ""
    return f"{change.runs[0]} → {change.runs[1]}{shared}"


def _range(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"
