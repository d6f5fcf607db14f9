"""How many trials share a GPU: the choice from made-up rates, and real probes side by side on a CPU."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.data.splits import HoldoutSplit
from harness.errors import InputError
from harness.losses import parse_loss
from harness.scheduling import packing
from harness.scheduling.packing import PACKING_FILE, PackedRate, Packing, choose, side_by_side, trials_per_gpu
from harness.training.job import TrainingJob
from harness.training.protocol import Protocol

GIB = 2**30


@pytest.fixture
def job(prepared_discs, tmp_path) -> TrainingJob:
    return TrainingJob(
        key="k" * 64,
        prepared=prepared_discs.folder,
        split=HoldoutSplit(test=2, validation=2),
        fold=0,
        seed=0,
        loss=parse_loss("ce"),
        model="unet2d",
        model_options={"base_channels": 4, "depth": 2},
        protocol=Protocol.model_validate({"epochs": 2, "batch_size": 4}),
        score_test=True,
        folder=tmp_path / "trial",
    )


def device(rates: Mapping[int, float], each: int = GIB) -> Callable[[int], PackedRate | None]:
    """Return a made-up device: its steps per second by trials; None where they do not fit."""

    def measure(trials: int) -> PackedRate | None:
        return PackedRate(trials, rates[trials], trials * each) if trials in rates else None

    return measure


def test_trials_are_packed_while_the_device_gets_faster() -> None:
    found = choose(device({1: 10.0, 2: 18.0, 3: 22.0, 4: 22.5}), 80 * GIB)
    assert (found.trials, found.reason) == (3, "no gain")
    assert [rate.trials for rate in found.measured] == [1, 2, 3, 4]


def test_one_trial_that_fills_the_device_stays_alone() -> None:
    assert choose(device({1: 10.0, 2: 10.2}), 80 * GIB).trials == 1


def test_packing_stops_before_the_memory_is_full() -> None:
    rates = {1: 10.0, 2: 20.0, 3: 30.0, 4: 40.0}
    found = choose(device(rates), 3 * GIB)
    assert (found.trials, found.reason) == (2, "memory")
    assert [rate.trials for rate in found.measured] == [1, 2]  # three are not even tried


def test_trials_that_turn_out_not_to_fit_end_the_packing() -> None:
    assert choose(device({1: 10.0, 2: 20.0}), 80 * GIB).trials == 2


def test_no_more_trials_than_allowed() -> None:
    rates = {level: 10.0 * level for level in packing.LEVELS}
    assert choose(device(rates), 80 * GIB, most=4).trials == 4
    assert choose(device(rates), 80 * GIB).reason == "most"


def test_one_trial_that_does_not_fit_is_bad_input() -> None:
    with pytest.raises(InputError, match="not even one trial fits into the memory of the GPU; set a smaller"):
        choose(device({}), GIB)


def test_the_choice_is_told_with_what_it_rests_on() -> None:
    found = Packing(2, "no gain", (PackedRate(1, 10.0, GIB), PackedRate(2, 18.04, 2 * GIB)))
    assert found.sentence() == (
        "2 trials per GPU (1: 10.0 steps/s, 1.0 GiB; 2: 18.0 steps/s, 2.0 GiB); more are not faster"
    )


def test_what_was_measured_is_kept_for_jobs_of_the_same_kind(
    job: TrainingJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measured(job: TrainingJob, trials: int) -> PackedRate:
        asked.append(trials)
        return PackedRate(trials, 10.0, GIB)

    monkeypatch.setattr(packing, "side_by_side", measured)
    first = trials_per_gpu(job, tmp_path)
    assert trials_per_gpu(replace(job, seed=1), tmp_path) == first
    assert asked == [1, 2]
    trials_per_gpu(replace(job, model_options={"base_channels": 8, "depth": 2}), tmp_path)
    assert asked == [1, 2, 1, 2]
    (tmp_path / PACKING_FILE).write_text("{broken")
    assert trials_per_gpu(job, tmp_path) == first


def test_real_trainings_run_side_by_side(job: TrainingJob) -> None:
    found = side_by_side(job, 2, seconds=0.1)
    assert found is not None
    assert found.trials == 2
    assert found.steps_per_second > 0
    assert found.memory_bytes > 1_000_000
    assert not job.folder.exists()


@pytest.mark.full  # quick: a probe elsewhere that fails, in tests/training/test_probe.py
def test_a_training_that_cannot_run_is_told_in_one_sentence(job: TrainingJob) -> None:
    broken = replace(job, prepared=job.prepared / "nowhere")
    with pytest.raises(
        InputError, match=r"cannot measure how many trials share the device: .*nowhere"
    ) as error:
        side_by_side(broken, 2, seconds=0.1)
    assert "\n" not in str(error.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_takes_small_trials_together(job: TrainingJob, tmp_path: Path) -> None:
    found = trials_per_gpu(replace(job, device="cuda"), tmp_path)
    assert found.measured[0].memory_bytes > 0
    assert 1 <= found.trials <= packing.MOST_TRIALS
