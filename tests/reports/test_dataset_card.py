"""Cards count what the cases of a dataset hold."""

import json

import numpy as np
import pytest

from harness.data.case import Case
from harness.data.facts import case_facts
from reports.datasets.card import DatasetFacts, dataset_card
from reports.datasets.card_text import card_markdown
from reports.datasets.sheet_layout import percent
from tests.reports.spotted_case import make_case


def facts_of(seed=0, **changes):
    return case_facts(f"case_{seed}", f"p{seed // 2}", "Utrecht", make_case(seed, **changes), 3)


def card_of(facts, **changes):
    given = {"name": "spots", "title": "Spots", "channels": ("FLAIR", "T1"), "classes": ("spot", "ring")}
    return dataset_card(facts, DatasetFacts(**{**given, **changes}))


def test_facts_count_voxels_slices_and_components():
    facts = facts_of()
    assert facts.voxels == (6000 - 25, 24, 1)
    assert facts.empty_slices == 3
    assert facts.lesions == ((24,), (1,))
    assert facts.voxel_ml == pytest.approx(0.012)
    assert facts_of(ignored=True).ignored == 36


def test_voxels_that_touch_at_a_corner_are_one_lesion():
    labels = np.zeros((2, 6, 6), np.uint8)
    labels[0, 1, 1] = labels[1, 2, 2] = labels[1, 5, 5] = 1
    case = Case(np.zeros((1, 2, 6, 6), np.float32), labels, None, (1.0, 1.0, 1.0))
    assert case_facts("a", "a", None, case, 2).lesions == ((2, 1),)


def test_a_card_summarises_its_cases():
    bare = make_case(9)
    bare.labels[bare.labels == 2] = 0
    card = card_of([facts_of(0), facts_of(1), case_facts("case_9", "p9", "Oslo", bare, 3)])
    assert (card.cases, card.patients, card.sites) == (3, 2, {"Oslo": 1, "Utrecht": 2})
    spot, ring = card.classes
    assert spot.fraction.median == pytest.approx(24 / 6000)
    assert spot.amount.median == pytest.approx(24 * 0.012)
    assert spot.lesions.median == 1
    assert spot.empty == ()
    assert ring.empty == ("case_9",)
    assert (card.slices, card.empty_slices) == (15, 9)
    assert card.spacing[0].median == 6


def test_the_text_is_an_aligned_table_with_units():
    text = card_markdown(
        card_of(
            [facts_of(0), facts_of(1)],
            licence="CC BY 4.0",
            citation="Somebody et al.",
            splits=("train 1, test 1 patients",),
            unreadable={"case_7": "case 'case_7': truncated"},
            fingerprint="abc",
        )
    )
    for words in (
        "# Spots (spots)",
        "| 2 cases of 1 patient; 1 case cannot be read",
        "Utrecht (2)",
        "5 × 40 × 30",
        "6 × 1 × 2",
        "10, of them 60 % without foreground",
        "0.4 % (0.4 to 0.4 %)",
        " ml ",
        "CC BY 4.0",
        "Somebody et al.",
        "train 1, test 1 patients",
        "- case 'case_7': truncated",
        "| abc ",
    ):
        assert words in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({len(line) for line in block.splitlines()}) == 1


def test_a_simulated_dataset_says_so():
    assert "Simulated images" in card_markdown(card_of([facts_of()], simulated=True))


def test_photographs_are_measured_in_pixels():
    case = Case(np.zeros((1, 1, 9, 9), np.float32), np.eye(9, dtype=np.uint8)[None], None, (1.0, 1.0, 1.0))
    card = card_of([case_facts("a", "a", None, case, 3)])
    assert card.unit == "pixels"
    assert card.spacing is None
    assert "9 (9 to 9) pixels" in card_markdown(card)


def test_a_card_of_no_case_is_still_a_card():
    text = card_markdown(card_of([], unreadable={"a": "case 'a': broken"}))
    assert "case 'a': broken" in text


def test_the_card_survives_json():
    found = json.loads(json.dumps(card_of([facts_of()]).to_json(), allow_nan=False))
    assert found["classes"][0]["name"] == "spot"
    assert found["about"]["channels"] == ["FLAIR", "T1"]


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (1e-6, "< 0.001 %"),
        (0.00034, "0.034 %"),
        (0.0018, "0.18 %"),
        (0.0456, "4.56 %"),
        (1, "100 %"),
    ],
)
def test_fractions_are_never_powers_of_ten(fraction, text):
    assert percent(fraction) == text
