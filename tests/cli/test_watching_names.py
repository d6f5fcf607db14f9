"""Trials that tune a loss are told from the study's own."""

import pytest

from harness.cli.watching.names import loss_shown, seed_shown


@pytest.mark.parametrize(
    ("label", "purpose", "shown"),
    [
        ("CE", "study", "CE"),
        ("CE (tuned)", "study", "CE (tuned)"),
        ("CE (tuned)", "search", "CE (tuning)"),
        ("my schedule", "search", "my schedule (tuning)"),
    ],
)
def test_what_is_tuned_is_named_once(label, purpose, shown):
    assert loss_shown(label, purpose) == shown


def test_inner_seeds_count_from_zero():
    assert [seed_shown(seed) for seed in (0, 12, 1_000_000, 1_000_003)] == ["0", "12", "inner 0", "inner 3"]
