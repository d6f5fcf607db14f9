"""The studies that ship: they plan without data, and headers say how to run them and what that takes."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness.cli.main import app
from harness.errors import InputError
from harness.losses import LOSSES
from harness.losses.aliases import ALIASES
from harness.losses.expression import parse_loss
from harness.published import published_for
from harness.study.spec import load_study
from harness.study.variants import rows
from studies import shipped_studies
from tests.conftest import lossbench
from tests.studies.hours import gpu_hours, rounded, trainings

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "studies.md").read_text(encoding="utf-8")
LITERATURE = ("kervadec2019", "kervadec2019_strict", "kervadec2019_alpha", "wong2018", "anatomynet2019")
"""Of these every row has a printed number on every dataset; those of others are looked at one by one."""

ESTIMATED = (*LITERATURE, "kervadec2019_acdc", "nnunet2019", "odyssey2021", "losses2026", "which_loss")


def header(name: str) -> str:
    """Return the comment above the first key, as one line of words."""
    lines = shipped_studies()[name].read_text().partition("\nstudy:")[0].splitlines()
    return " ".join(" ".join(line.removeprefix("#") for line in lines).split())


@pytest.mark.parametrize("name", shipped_studies())
def test_every_study_plans_without_data(name: str, tmp_path: Path) -> None:
    planned = lossbench("plan", name, "--data", tmp_path / "nothing", "--json", cwd=tmp_path)
    assert planned.returncode == 0, planned.stderr
    assert "Traceback" not in planned.stderr
    cells = json.loads(planned.stdout)["cells"]
    assert cells
    assert any("not here" in cell["note"] for cell in cells)


@pytest.mark.parametrize("name", sorted(set(shipped_studies()) - {"simulated"}))
def test_every_header_names_the_command(name: str) -> None:
    assert f"lossbench run {name}" in header(name)


@pytest.mark.parametrize("name", shipped_studies())
def test_every_study_is_on_the_page(name: str) -> None:
    assert f"| `{name}` |" in PAGE


@pytest.mark.parametrize("name", ESTIMATED)
def test_expected_hours_are_what_is_counted_in_header_and_on_the_page(name: str) -> None:
    study = load_study(name)[0]
    hours, count = rounded(gpu_hours(study)), f"{trainings(study):,}"
    assert f"about {hours} GPU hours. An estimate, not measured: {count} trainings" in header(name)
    (row,) = re.findall(rf"^\| `{name}` \|.*$", PAGE, re.MULTILINE)
    assert [cell.strip() for cell in row.split("|")][-3:-1] == [count, hours]


@pytest.mark.parametrize("name", LITERATURE)
def test_every_row_has_a_printed_number(name: str) -> None:
    study = load_study(name)[0]
    for dataset in study.dataset_entries:
        for row in rows(study):
            assert published_for(dataset.dataset, row.entry.spec().expression, "dsc"), row.label


def test_odyssey2021_finds_all_printed_rows_but_the_one_whose_code_is_another_loss() -> None:
    study = load_study("odyssey2021")[0]
    assert len(study.losses) == 20
    for dataset in study.dataset_entries:
        missing = [
            entry.label
            for entry in study.losses
            if entry.label
            not in {each.loss for each in published_for(dataset.dataset, entry.spec().expression, "dsc")}
        ]
        assert missing == ["pCE"]


def test_nnunet2019_has_the_three_losses_and_the_four_variants_on_six_tasks() -> None:
    study = load_study("nnunet2019")[0]
    assert len(study.datasets) == 6
    labels = [row.label for row in rows(study)]
    assert labels[:2] == ["CE", "Dice"]
    assert [label.removeprefix("Dice + CE") for label in labels[2:]] == [
        "",
        " (batch norm)",
        " (no normalisation)",
        " (ReLU)",
        " (no augmentation)",
    ]
    named = {label for each in study.contrasts for label in (*each.plus, *each.minus)}
    assert named == set(labels)
    for dataset in study.dataset_entries:
        assert all(published_for(dataset.dataset, entry.spec().expression) for entry in study.losses)


def test_losses2026_has_every_loss_that_trains_alone_and_every_published_sum() -> None:
    wanted = {parse_loss(name).expression for name, loss in LOSSES.items() if not loss.partner}
    wanted |= {parse_loss(alias.expression).expression for alias in ALIASES.values()}
    assert {entry.spec().expression for entry in load_study("losses2026")[0].losses} == wanted


def test_the_template_says_which_three_lines_to_change() -> None:
    text = shipped_studies()["which_loss"].read_text()
    marked = re.findall(r"^ *(?:- )?(\w+):.*# ([123])$", text, re.MULTILINE)
    assert marked == [("study", "1"), ("dataset", "2"), ("simulate", "3")]


def test_the_file_of_a_study_is_printed_to_be_copied() -> None:
    shown = CliRunner().invoke(app, ["studies", "which_loss"])
    assert shown.exit_code == 0
    assert shown.stdout == shipped_studies()["which_loss"].read_text(encoding="utf-8")


def test_a_study_that_does_not_ship_is_refused_with_the_nearest() -> None:
    refused = CliRunner().invoke(app, ["studies", "kervadec2018"])
    assert isinstance(refused.exception, InputError)
    assert "kervadec2019" in str(refused.exception)
