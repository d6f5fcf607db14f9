"""The shipped studies of papers have a row for every number that the papers print."""

import pytest

from harness.published import STUDIES, PublishedNumber, published_for, published_numbers
from harness.study.spec import load_study
from harness.study.variants import rows, varied_label

SHIPPED = {
    "kervadec2019": ("kervadec2019", "kervadec2019_alpha", "losses2026"),
    **{study: (study,) for study in STUDIES[1:]},
}
WITHOUT = {"L_GD + L_B 3D maps", "L_GD + L_HD", "pCE"}
"""Printed rows that no shipped study trains: distance maps of volumes, GDL with the Hausdorff loss,
and the row that is none of our losses."""


def beside(name: str) -> set[PublishedNumber]:
    """Return the printed numbers that stand beside a row of a shipped study."""
    study, _ = load_study(name)
    found: set[PublishedNumber] = set()
    for row in rows(study):
        named = [
            each.label for each in study.variants if varied_label(row.entry.label, each.label) == row.label
        ]
        expression, variant = row.entry.like().expression, "".join(named)
        for dataset in study.dataset_entries:
            found |= {*published_for(dataset.dataset, expression, variant=variant)}
    return found


@pytest.mark.parametrize("paper", STUDIES)
def test_every_printed_number_has_a_row(paper: str) -> None:
    found = set().union(*map(beside, SHIPPED[paper]))
    missing = {number.loss for number in published_numbers(paper) if number not in found}
    assert missing <= WITHOUT
