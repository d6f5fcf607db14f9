"""Table S6: claims about groups of losses, declared and built in."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from harness.statistics.contrasts import Claim
from harness.statistics.scale import Scale
from harness.statistics.wording import title_of
from reports.results import StudyResults
from reports.tables.model import WordTable
from reports.tables.numbers import (
    compared_cells,
    decimals_for,
    effect,
    interval,
    p_text,
    shown_notes,
    why_nothing,
)
from reports.tables.registry import AnyTable, NothingToTell, register_table
from reports.tables.score_table import NOTHING


@dataclass(frozen=True)
class _Asked:
    """A claim and where it was put.

    Attributes:
        claim: The claim.
        where: A dataset, or all of them.
        metric: The metric's name for people.
        scale: Of the scores.
        margin: Of negligible differences, on the scale of the scores.
    """

    claim: Claim
    where: str
    metric: str
    scale: Scale
    margin: float


@register_table("S6", "claims")
def claim_tables(results: StudyResults) -> list[AnyTable]:
    """Return the answers to all claims.

    Raises:
        NothingToTell: if there are none.
    """
    cells = compared_cells(results)
    if not cells:
        raise NothingToTell(f"Table S6: losses were not compared ({why_nothing(results)}).")
    asked = [*_over(results), *_on_datasets(results)]
    if not asked:
        raise NothingToTell("Table S6: the study makes no claim, and its losses allow no built-in one.")
    order = {
        name: place for place, name in enumerate(dict.fromkeys(each.claim.contrast.name for each in asked))
    }
    return [_table(results, sorted(asked, key=lambda each: order[each.claim.contrast.name]))]


def _over(results: StudyResults) -> list[_Asked]:
    over = None if results.answer is None else results.answer.over_datasets
    if results.answer is None or over is None:
        return []
    scale = results.answer.datasets[0].primary.block.scale
    unit = " (in margins)" if over.several.in_margins else ""
    title = title_of(results.answer.metric) + unit
    plain = Scale() if over.several.in_margins else scale
    return [_Asked(claim, "all datasets", title, plain, over.several.margin) for claim in over.claims]


def _on_datasets(results: StudyResults) -> list[_Asked]:
    return [
        _Asked(
            claim,
            cell.block.dataset,
            title_of(cell.block.metric),
            cell.block.scale,
            cell.asked.margin,
        )
        for cell in compared_cells(results)
        if cell.comparison is not None
        for claim in cell.comparison.claims
    ]


def _table(results: StudyResults, asked: Sequence[_Asked]) -> WordTable:
    return WordTable(
        "s6_claims",
        "Claims about groups of losses and what the scores say to them.",
        (
            "Claim",
            "Dataset",
            "Metric",
            "Difference or ratio",
            "95 % interval",
            "p (Holm)",
            "p (TOST)",
            "Answer",
        ),
        tuple(_row(each) for each in asked),
        (
            *shown_notes(results, results.datasets),
            *_sides(asked),
            "Difference: the mean of the losses that are said to be better minus that of the others, over "
            "patients and seeds, above 0 in favour of the claim; for distances, the ratio of geometric "
            "means, below 1 in favour of it. p (Holm) is adjusted over the claims on one dataset and "
            "metric, p (TOST) of a difference beyond the margin is not.",
            "Supported: p (Holm) is at most alpha. Refuted: the other way round, or any advantage beyond the "
            "margin is excluded. Unresolved: neither.",
        ),
        pd.DataFrame([_data(each) for each in asked]),
        (False, False, False, True, True, True, True, False),
    )


def _sides(asked: Sequence[_Asked]) -> list[str]:
    contrasts = dict.fromkeys(each.claim.contrast for each in asked)
    return [
        f"{_as_sentence(contrast.name)} ({'built in' if contrast.builtin else 'declared'}): "
        f"mean of {', '.join(contrast.plus)} against mean of {', '.join(contrast.minus)}."
        for contrast in contrasts
    ]


def _row(each: _Asked) -> tuple[str, ...]:
    claim, found = each.claim, each.claim.estimate
    name = _as_sentence(claim.contrast.name)
    answer = f"{claim.answer}: {claim.why}" if claim.why else claim.answer
    if found is None:
        return name, each.where, each.metric, *[NOTHING] * 4, answer
    decimals = decimals_for([found.standard_error])
    return (
        name,
        each.where,
        each.metric,
        effect(each.scale, found.difference, decimals),
        interval(each.scale, found.low, found.high, decimals),
        p_text(claim.p),
        p_text(claim.equivalent_p),
        answer,
    )


def _data(each: _Asked) -> dict[str, object]:
    claim, found = each.claim, each.claim.estimate
    return {
        "claim": claim.contrast.name,
        "builtin": claim.contrast.builtin,
        "plus": "; ".join(claim.contrast.plus),
        "minus": "; ".join(claim.contrast.minus),
        "dataset": each.where,
        "metric": each.metric,
        "scale": "-log" if each.scale.log else "identity",
        "difference_of_scores": None if found is None else found.difference,
        "low": None if found is None else found.low,
        "high": None if found is None else found.high,
        "p_holm": claim.p,
        "p_tost": claim.equivalent_p,
        "margin": each.margin,
        "answer": claim.answer,
        "why": claim.why,
    }


def _as_sentence(claim: str) -> str:
    """Return a claim with a capital first letter, unless its first word has capitals of its own.

    >>> _as_sentence("adding a term helps"), _as_sentence("clDice helps Dice")
    ('Adding a term helps', 'clDice helps Dice')
    """
    first = claim.partition(" ")[0]
    return claim[:1].upper() + claim[1:] if first == first.lower() else claim
