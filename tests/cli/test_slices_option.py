"""``lossbench run --slices``: where the training slices lie is no part of a trial."""

import json

import pytest

from tests.conftest import lossbench, stored_numbers


def run(study_file, folder, slices):
    folder.mkdir(exist_ok=True)
    done = lossbench(
        "run", study_file, "--data", study_file.parent, "--local", "--slices", slices, "--json",
        "--set", "seeds=1", "--set", "protocol.augment=[flip_horizontal, shift, rotation]", cwd=folder,
    )  # fmt: skip
    assert done.returncode in {0, 75}, done.stderr
    return json.loads(done.stdout)


@pytest.mark.full
def test_mapped_and_resident_slices_give_the_same_trials(study_file, discs_data, tmp_path):
    study_file = study_file.rename(discs_data / "slices.yaml")
    assert run(study_file, tmp_path / "mapped", "mapped")["trained"] == 2
    assert run(study_file, tmp_path / "mapped", "memory")["reused"] == 2
    assert run(study_file, tmp_path / "memory", "memory")["trained"] == 2
    assert stored_numbers(tmp_path / "mapped") == stored_numbers(tmp_path / "memory")


def test_an_unknown_place_for_slices_is_refused(tmp_path):
    done = lossbench("run", "any", "--slices", "disk", cwd=tmp_path)
    assert done.returncode == 2
    assert "disk" in done.stderr
