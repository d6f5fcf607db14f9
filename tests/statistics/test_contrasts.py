"""Claims about groups of losses."""

import numpy as np
import pytest

from harness.statistics.contrasts import (
    COMPLEMENT,
    COMPOUND,
    Anatomy,
    Claim,
    answer_contrasts,
    builtin_contrasts,
)
from harness.statistics.crossed import crossed_difference, parts_of
from harness.statistics.plan import Contrast
from harness.statistics.simulated_scores import Truth, simulate

LABELS = ("CE", "Dice", "Dice + CE")


def claims(
    *contrasts: Contrast,
    means: tuple[float, ...] = (0.0, 0.0, 0.1),
    patients: int = 60,
    seed_sd: float = 0.01,
) -> list[Claim]:
    truth = Truth(means=means, patients=patients, seed_sd=seed_sd)
    scores = simulate(truth, 5, np.random.default_rng(0))
    return answer_contrasts(contrasts, LABELS, parts_of(scores), 0.01, 0.05)


BETTER = Contrast("compound is better", ("Dice + CE",), ("CE", "Dice"))


def test_a_clear_advantage_supports_and_a_clear_disadvantage_refutes() -> None:
    assert claims(BETTER)[0].answer == "supported"
    found = claims(BETTER, means=(0.0, 0.0, -0.1))[0]
    assert (found.answer, found.why) == ("refuted", "it is the other way round")


def test_no_advantage_beyond_the_margin_refutes() -> None:
    found = claims(BETTER, means=(0.0, 0.0, 0.0), patients=400, seed_sd=0.001)[0]
    assert (found.answer, found.why) == ("refuted", "equivalent within the margin")


def test_a_wide_interval_leaves_it_unresolved() -> None:
    assert claims(BETTER, means=(0.0, 0.0, 0.01), patients=8)[0].answer == "unresolved"


def test_a_contrast_of_two_losses_is_their_crossed_difference() -> None:
    scores = simulate(Truth(means=(0.0, 0.0, 0.1)), 5, np.random.default_rng(0))
    one = Contrast("one pair", ("Dice + CE",), ("Dice",))
    found = answer_contrasts([one], LABELS, parts_of(scores), 0.01, 0.05)[0]
    assert found.estimate == crossed_difference(scores[2], scores[1])


def test_several_contrasts_are_adjusted_together() -> None:
    alone = claims(BETTER, means=(0.0, 0.0, 0.02))[0]
    both = claims(BETTER, Contrast("dice", ("Dice",), ("CE",)), means=(0.0, 0.0, 0.02))[0]
    assert both.p == pytest.approx(2 * alone.p)


def test_a_loss_that_is_not_compared_is_named() -> None:
    found = claims(Contrast("more", ("Boundary",), ("Dice",)))[0]
    assert (found.answer, found.estimate) == ("not asked here", None)
    assert "Boundary" in found.why


def test_the_journal_clubs_claims_are_made_of_the_losses_at_hand() -> None:
    anatomy = {
        "CE": Anatomy("distribution", ("ce",)),
        "Dice": Anatomy("region", ("dice",)),
        "GDL": Anatomy("region", ("gdl",)),
        "Dice + CE": Anatomy("compound", ("dice", "ce")),
        "GDL + BL": Anatomy("compound", ("gdl", "boundary")),
        "CE + BL": Anatomy("compound", ("ce", "boundary")),
    }
    families = {"ce": "distribution", "dice": "region", "gdl": "region"}
    compound, complement = builtin_contrasts(anatomy, families)
    assert (compound.name, compound.plus, set(compound.minus)) == (COMPOUND, ("Dice + CE",), {"CE", "Dice"})
    assert (complement.name, complement.plus, complement.minus) == (COMPLEMENT, ("GDL + BL",), ("GDL",))
    assert compound.builtin
    assert complement.builtin


def test_without_their_parts_nothing_is_claimed_of_compounds() -> None:
    assert builtin_contrasts({"Dice + CE": Anatomy("compound", ("dice", "ce"))}, {}) == []
