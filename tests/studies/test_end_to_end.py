"""Every study of the literature trains and reports: shrunken, on simulated archives or miniature trees.

Nothing is learned in one epoch; what is held is that a study as shipped reads its data, trains its losses
and finds the numbers printed for them.
"""

from pathlib import Path

import pytest

from tests.studies import miniatures
from tests.studies.shrunken import shrink, train_and_tabulate


def test_kervadec2019_prints_the_table_of_the_paper_beside_its_own(tmp_path: Path) -> None:
    table = train_and_tabulate("kervadec2019", shrink("kervadec2019", ["isles2018"]), tmp_path, tmp_path)
    for printed in ("0.321 (0.000)", "0.575 (0.028)", "0.656 (0.023)"):
        assert printed in table
    assert "Kervadec et al. 2019" in table


def test_odyssey2021_prints_the_numbers_of_the_losses_that_it_trains(tmp_path: Path) -> None:
    miniatures.images_and_labels(tmp_path, "multi_organ")
    options = shrink("odyssey2021", ["multi_organ"], ["CE", "DiceBD", "DiceTopK"])
    table = train_and_tabulate("odyssey2021", options, tmp_path, tmp_path)
    for printed in ("0.8483", "0.8450", "0.8512"):
        assert printed in table
    assert "Ma et al. 2021" in table


@pytest.mark.full
def test_kervadec2019_on_wmh(tmp_path: Path) -> None:
    table = train_and_tabulate("kervadec2019", shrink("kervadec2019", ["wmh2017"]), tmp_path, tmp_path)
    for printed in ("0.569 (0.000)", "0.727 (0.006)", "0.748 (0.005)"):
        assert printed in table


@pytest.mark.full
def test_kervadec2019_strict(tmp_path: Path) -> None:
    options = shrink("kervadec2019_strict", ["wmh2017"])
    assert "0.748 (0.005)" in train_and_tabulate("kervadec2019_strict", options, tmp_path, tmp_path)


@pytest.mark.full
def test_kervadec2019_acdc(tmp_path: Path) -> None:
    options = shrink("kervadec2019_acdc", ["acdc"])
    assert "Boundary" in train_and_tabulate("kervadec2019_acdc", options, tmp_path, tmp_path)


@pytest.mark.full
def test_kervadec2019_alpha(tmp_path: Path) -> None:
    options = shrink("kervadec2019_alpha", ["isles2018"])
    table = train_and_tabulate("kervadec2019_alpha", options, tmp_path, tmp_path)
    for printed in ("0.566", "0.628", "0.549", "0.622", "0.644"):
        assert printed in table


@pytest.mark.full
def test_wong2018(tmp_path: Path) -> None:
    miniatures.images_and_labels(tmp_path, "brain_19_labels")
    table = train_and_tabulate("wong2018", shrink("wong2018", ["brain_19_labels"]), tmp_path, tmp_path)
    for printed in ("0.43 (0.11)", "0.80 (0.02)", "0.77 (0.02)", "0.81 (0.01)", "0.67 (0.11)"):
        assert printed in table


@pytest.mark.full
def test_anatomynet2019(tmp_path: Path) -> None:
    miniatures.pddca(tmp_path)
    table = train_and_tabulate("anatomynet2019", shrink("anatomynet2019", ["pddca"]), tmp_path, tmp_path)
    for printed in ("0.768", "0.760", "0.777", "0.770"):
        assert printed in table


@pytest.mark.full
def test_nnunet2019_with_its_variants(tmp_path: Path) -> None:
    miniatures.decathlon(tmp_path, "msd_brain_tumour")
    miniatures.decathlon(tmp_path, "msd_hippocampus")
    options = shrink("nnunet2019", ["msd_brain_tumour", "msd_hippocampus"])
    table = train_and_tabulate("nnunet2019", options, tmp_path, tmp_path)
    for row in ("batch norm", "no normalisation", "ReLU", "no augmentation"):
        assert f"Dice + CE ({row})" in table
    assert "0.89" in table


@pytest.mark.full
def test_odyssey2021_trains_all_twenty(tmp_path: Path) -> None:
    miniatures.decathlon(tmp_path, "msd_pancreas")
    miniatures.images_and_labels(tmp_path, "multi_organ")
    options = shrink("odyssey2021", ["msd_pancreas", "multi_organ"])
    table = train_and_tabulate("odyssey2021", options, tmp_path, tmp_path)
    assert "0.8512" in table


@pytest.mark.full
def test_losses2026_trains_every_loss(tmp_path: Path) -> None:
    miniatures.decathlon(tmp_path, "msd_spleen")
    options = shrink("losses2026", ["msd_spleen"], tuning={})
    table = train_and_tabulate("losses2026", options, tmp_path, tmp_path)
    assert "CC-DiceCE" in table


@pytest.mark.full
def test_which_loss(tmp_path: Path) -> None:
    table = train_and_tabulate("which_loss", shrink("which_loss", ["wmh2017"]), tmp_path, tmp_path)
    assert "Dice + BL" in table
