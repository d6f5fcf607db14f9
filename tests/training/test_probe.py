"""A short probe of a training: what it measures, and that it leaves nothing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.losses import parse_loss
from harness.training.job import Finished, TrainingJob
from harness.training.probe import Probe, ProbeFailed, probe, probes
from harness.training.trainer import train

SHORT = 0.05


def test_the_cost_of_a_trial_is_that_of_its_epochs_and_what_is_around_them() -> None:
    found = Probe(
        step_seconds=0.5,
        steps_per_epoch=10,
        validation_case_seconds=0.1,
        validation_cases=5,
        scoring_case_seconds=2.0,
        scored_cases=20,
        set_up_seconds=1.0,
        peak_bytes=1,
    )
    assert found.epoch_seconds == pytest.approx(5.5)
    assert found.seconds(100) == pytest.approx(550 + 41)
    # Every second epoch, 5 cases for 2 s instead of 0.1 s.
    every_other = replace(found, metrics_every=2)
    assert every_other.epoch_seconds == pytest.approx(5.5 + 5 * 1.9 / 2)


def test_a_probe_counts_steps_and_cases_as_the_training_has_them(job: TrainingJob) -> None:
    found = probe(job, SHORT)
    assert found.steps_per_epoch == 3  # four patients of three slices, four at a time
    assert (found.validation_cases, found.scored_cases) == (2, 8)
    assert found.step_seconds > 0
    assert found.peak_bytes > 1_000_000
    untested = probe(replace(job, score_test=False), SHORT)
    assert untested.scored_cases == 4


def test_a_probe_leaves_nothing_and_reads_no_checkpoint(job: TrainingJob, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    probe(replace(job, keep_model=True), SHORT)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_training_after_a_probe_gives_the_same_bits(
    job: TrainingJob, numbers: Callable[..., object]
) -> None:
    alone = list(train(job))
    probe(job, SHORT)
    after = list(train(replace(job, folder=job.folder / "after")))
    assert numbers(alone) == numbers(after)


@pytest.mark.parametrize("changes", [{"accumulate": 2}, {"epochs": 1}, {"batch_size": 64}])
def test_odd_protocols_can_be_probed(
    with_protocol: Callable[..., TrainingJob], changes: dict[str, int]
) -> None:
    assert probe(with_protocol(**changes), SHORT).seconds(10) > 0


def test_the_seconds_of_a_trial_hold_set_up_and_scoring(
    job: TrainingJob, finish: Callable[[TrainingJob], Finished]
) -> None:
    finished = finish(job)
    assert finished.seconds > sum(record.seconds for record in finished.epochs)


def test_probes_run_elsewhere_and_one_that_fails_stops_no_other(job: TrainingJob) -> None:
    broken = replace(job, prepared=job.prepared / "nowhere")
    with_spacing = replace(job, loss=parse_loss("ce"))
    first, second = probes([broken, with_spacing], SHORT)
    assert isinstance(first, ProbeFailed)
    assert "nowhere" in first.reason
    assert isinstance(second, Probe)
