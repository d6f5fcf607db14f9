"""The case behind the gradient anatomy: which slice, whose training, and what is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cli import anatomy_case as module
from harness.cli.anatomy_case import anatomy_case
from harness.cli.home import Home
from harness.errors import InputError


@pytest.fixture
def manifest(discs_data):
    return str(discs_data / "discs.yaml")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Where the discs are prepared, once."""
    return Home(tmp_path_factory.mktemp("home"))


@pytest.fixture
def draw(manifest, discs_data, home):
    """Return the case of the discs after two steps of training."""

    def make(case=None, steps=2, **options):
        return anatomy_case(manifest, case, discs_data, home, steps=steps, **options)

    return make


def test_the_slice_is_at_the_third_quartile_of_foreground(draw, prepared_discs):
    case = draw()
    areas = sorted(
        int((labels == 1).sum())
        for each in prepared_discs.cases
        for labels in prepared_discs.labels(each)
        if labels.any()
    )
    assert case.truth.sum() == areas[int(0.75 * (len(areas) - 1))]


def test_a_case_and_a_slice_can_be_named(draw, prepared_discs):
    case = draw("p3:2")
    assert case.case == "case p3, slice 2 of 3"
    each = prepared_discs.cases[3]
    stored = prepared_discs.labels(each)[1][::-1, ::-1]  # anterior up, right on the left
    assert case.labels.shape == stored.shape
    assert case.truth.sum() == (stored == 1).sum()
    assert draw("p3").case.startswith("case p3, slice ")


def test_everything_has_the_size_of_the_slice(draw):
    case = draw("p1:1")
    assert case.image.shape == case.labels.shape == case.logits.shape[1:]
    assert case.logits.shape[0] == len(case.class_counts) == 2
    assert case.spacing == (1.0, 1.0)
    assert case.title == "Discs in noise"
    assert case.class_name == "disc"
    assert "after 2 steps of Dice + CE on 7 other patients" in case.prediction


def test_slices_of_sixteen_pixels_are_small_but_not_too_small(discs_data, home, tmp_path):
    small = tmp_path / "small.yaml"
    small.write_text((discs_data / "discs.yaml").read_text().replace("size: [32, 32]", "size: [16, 16]"))
    case = anatomy_case(str(small), None, discs_data, home, steps=1)
    assert case.image.shape == (16, 16)


def test_the_same_call_gives_the_same_logits_and_leaves_torchs_numbers_alone(draw):
    state = torch.get_rng_state()
    one, other = draw("p1:1"), draw("p1:1")
    assert np.array_equal(one.logits, other.logits)
    assert torch.equal(state, torch.get_rng_state())


def test_nothing_is_learned_from_the_patient_that_is_shown(draw, prepared_discs):
    shown = prepared_discs.cases[1]
    others = [prepared_discs.labels(each) for each in prepared_discs.cases if each is not shown]
    foreground = sum(int((labels == 1).sum()) for labels in others)
    assert draw("p1:1").class_counts[1] == foreground


def test_training_moves_the_prediction_towards_the_truth(draw):
    case = draw("p1:1", steps=25)
    assert case.probability[case.truth].mean() > case.probability[~case.truth].mean() + 0.3


def test_progress_counts_the_batches(draw):
    seen = []
    draw("p1:1", progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 2), (2, 2)]


@pytest.mark.parametrize(
    ("case", "steps", "message"),
    [
        ("p33", 2, "has no case 'p33'; did you mean 'p3'?"),
        ("p3:9", 2, "case 'p3' has no slice '9'; its slices are 1..3"),
        ("p3:x", 2, "case 'p3' has no slice 'x'"),
        (None, 0, "the network needs at least 1 training step (got 0)"),
    ],
)
def test_what_is_not_there_is_refused(draw, case, steps, message):
    with pytest.raises(InputError) as error:
        draw(case, steps=steps)
    assert message in str(error.value)


def test_an_unknown_dataset_names_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean 'wmh2017'"):
        anatomy_case("wmh2071", None, tmp_path, Home(tmp_path))


def test_a_dataset_that_is_not_here_says_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"is not in the data folder .* without a dataset, a simulated one"):
        anatomy_case("tabriz_ms_wmh", None, tmp_path, Home(tmp_path))


def test_without_a_dataset_the_quickstarts_simulation_is_made_and_said_so(tmp_path, monkeypatch):
    from harness.study.spec import load_study

    small = ("datasets.0.simulate.cases=2",)
    monkeypatch.setattr("harness.study.spec.load_study", lambda name: load_study(name, small))
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    case = anatomy_case(None, None, tmp_path / "nowhere", Home(tmp_path), steps=1)
    assert case.title.endswith("(simulated)")
    assert case.credit == ""
    assert "on 1 other patients" in case.prediction
    assert case.truth.any()


@pytest.mark.real_data
def test_real_images_are_credited(shared_data: Path, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    case = anatomy_case("tabriz_ms_wmh", "112776:13", shared_data, Home(tmp_path), steps=1)
    assert "Bashiri Bawil" in case.credit
    assert "CC BY 4.0" in case.credit
    assert case.case == "case 112776, slice 13 of 20, cut to where foreground occurs"
    assert case.truth.sum() == 661
