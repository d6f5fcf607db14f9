"""The benchmark of whole trials on a tiny dataset: what is run, what a row says, never how long it took."""

import importlib.util
import os
import subprocess
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.bench import BenchOptions, run_benchmark, trial
from harness.bench.measure import Settings
from harness.bench.trial import LONG_TRIALS, LongTrial, Trial, job_of, prepared
from harness.bench.trial_archive import N_CLASSES, SPLIT, Archive
from harness.bench.trial_profile import PARTS, Profile, profile_trial
from harness.bench.trial_runs import (
    EagerTraining,
    NaiveTrial,
    Pass,
    PooledTrials,
    ToldClock,
    extrapolated,
    naive_config,
    run_script,
    training_per_trial,
    wall_per_trial,
    warm_pool,
)
from harness.data.splits import partition
from harness.errors import InputError
from harness.losses import parse_loss
from harness.metrics import evaluate_case
from harness.scheduling.inline import InlineExecutor
from harness.training.job import EpochRecord

QUICK = Settings(rounds=1, sample_seconds=1e-9, retries=0)
TINY = Archive(cases=6, slices=4, size=32)
CPU = BenchOptions(size=TINY.size, settings=QUICK)

needs_medpy = pytest.mark.skipif(
    importlib.util.find_spec("medpy") is None, reason="MedPy is not installed (the 'bench' extra)"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("archive")
    return folder, prepared(TINY, folder)


@pytest.fixture
def job(data, tmp_path):
    return job_of(data[1], tmp_path / "trials", "cpu", {"epochs": 2}, base_channels=4)


@pytest.fixture
def tiny(monkeypatch):
    """A benchmark whose trials are tiny and run in this process, one at a time."""

    @contextmanager
    def inline(*_):
        yield InlineExecutor()

    monkeypatch.setattr(trial, "_ARCHIVE", TINY)
    monkeypatch.setattr(trial, "_EPOCHS", 1)
    monkeypatch.setattr(trial, "warm_pool", inline)
    monkeypatch.setattr(Trial, "_workers", 1)
    return Trial(CPU)


def config_of(data, job):
    folder, dataset = data
    sides = dict(partition(SPLIT, dataset.patients, job.seed, job.fold))
    return naive_config(folder / "blobs", job, {**sides, "n_classes": N_CLASSES})


def a_pass(seconds: list[list[float]], wall: float = 12.0) -> Pass:
    """Trials with epochs of these seconds, half a second of each being validation."""
    curves = tuple(
        tuple(EpochRecord(e, 0.5, 0.5, 0.01, None, None, s, 0.5) for e, s in enumerate(curve))
        for curve in seconds
    )
    return Pass(wall, 0.2, curves, (None,) * len(curves))


class FakeNaive:
    """Stands in for the process of the naive harness."""

    def __init__(self, config, _):
        self.last = {"curve": [0.25] * config["epochs"], "wall": 9.0}
        self.last |= {"epochs_seconds": 5.0, "scoring_seconds": 1.0}

    def __call__(self):
        return self.last["wall"]


class FakeEager:
    """Stands in for the process of the eager training."""

    def __init__(self, job, _):
        assert job.protocol.precision == "float32"

    def __call__(self):
        return 2.0


def test_a_naive_trial_is_a_process_that_scores_every_case(data, job, tmp_path):
    pytest.importorskip("medpy")
    work = NaiveTrial(config_of(data, job), tmp_path)
    assert work() > work.last["epochs_seconds"] > 0
    assert len(work.last["curve"]) == 1  # warming up
    scores = work.last["scores"]
    assert [len(scores[side]) for side in ("validation", "test")] == [2, 2]
    for case in [*scores["validation"].values(), *scores["test"].values()]:
        assert set(case) == {"dc", "hd", "hd95", "assd"}
        assert {len(values) for values in case.values()} == {N_CLASSES - 1}


def test_scripts_have_default_threads_whatever_the_pool_has(monkeypatch, tmp_path):
    seen = {}

    def run(command, env, **_):
        seen.update(env)
        (tmp_path / "train.out").write_text("{}")
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert run_script("train", b"", tmp_path) == {}
    assert "PATH" in seen
    assert not {"OMP_NUM_THREADS", "OMP_WAIT_POLICY"} & set(seen)


def test_a_script_that_fails_is_an_error_with_its_last_line(tmp_path):
    with pytest.raises(RuntimeError, match=r"naive harness's eager\.py failed: .*UnpicklingError"):
        run_script("eager", b"no pickle", tmp_path)


@needs_medpy
def test_naive_loss_is_ours():
    from harness.bench.naive.train import loss_of

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 4, 8, 8, generator=generator)
    labels = torch.randint(0, 4, (2, 8, 8), generator=generator)
    maps = torch.randn(2, 4, 8, 8, generator=generator)
    ours = parse_loss("gdl + boundary", {"schedule": "increase"}).build()
    ours.set_epoch(2, 5)
    torch.testing.assert_close(
        loss_of(logits, labels, maps, alpha=0.03),
        ours(logits, labels, distance_maps=maps),
        atol=1e-5,
        rtol=1e-5,
    )


@needs_medpy
def test_naive_maps_are_ours_but_for_the_half_voxel():
    from harness.bench.naive.train import signed_distances
    from harness.geometry import signed_distance_maps

    label = np.zeros((9, 7), np.int64)
    label[2:6, 1:5] = 1
    theirs = signed_distances(label, 2, (2.0, 1.0))
    ours = signed_distance_maps(label, 2, (2.0, 1.0))
    np.testing.assert_allclose(theirs - ours, np.sign(ours) * 0.5, atol=1e-5)


@needs_medpy
def test_naive_scores_are_ours_where_the_definitions_agree(data, job):
    from harness.bench.naive.train import Config, load_label, score, segment

    class ByIntensity(torch.nn.Module):
        """Predicts the class whose intensity is nearest; crude, but right in places."""

        def forward(self, images):
            return -(images - torch.tensor([-0.4, 1.5, 3.5, 5.5]).view(1, 4, 1, 1)).abs()

    config = Config(**config_of(data, job))
    found = score(ByIntensity(), config, config.test)
    for case in config.test:
        folder = data[0] / "blobs" / case
        masks = [
            array.transpose(2, 1, 0) for array in (segment(ByIntensity(), folder, "cpu"), load_label(folder))
        ]
        for each in evaluate_case(*masks, (3.0, 1.0, 1.0), N_CLASSES, ("dsc", "hd")):
            theirs = found[case]["dc" if each.metric == "dsc" else "hd"][each.class_index - 1]
            assert each.value is None or theirs == pytest.approx(each.value)


def test_a_pass_runs_copies_of_a_trial_and_leaves_nothing(job):
    work = PooledTrials(InlineExecutor(), job, 1, wall_per_trial)
    assert work() > 0
    assert len(work.last.epochs[0]) == 2
    assert 0 < work.last.started < work.last.wall
    assert work.last.finished[0].state == "done"
    assert not list(job.folder.iterdir())


def test_a_trial_that_fails_stops_the_benchmark(job, tmp_path):
    work = PooledTrials(InlineExecutor(), replace(job, prepared=tmp_path / "nowhere"), 1, wall_per_trial)
    with pytest.raises(RuntimeError, match="FileNotFoundError"):
        work()


def test_seconds_of_a_trial_are_those_of_the_pass_over_the_trials_in_it():
    found = a_pass([[3.0, 2.5], [3.5, 2.0]])
    assert wall_per_trial(found) == 6.0
    assert training_per_trial(found) == pytest.approx((5.5 - 1.0) / 2)


def test_long_trials_are_extrapolated_without_the_first_epoch():
    told = extrapolated(steps=1000, steps_per_epoch=10)
    assert told(a_pass([[9.0, 2.0, 2.0], [9.0, 4.0, 4.0]])) == pytest.approx(100 * 3.0 / 2)


def test_clock_adds_up_what_work_tells():
    assert ToldClock().time(lambda: 2.5, 3) == (7.5, 7.5)


def test_harnesses_that_end_far_apart_are_an_error_that_says_both_numbers(tiny, monkeypatch):
    monkeypatch.setattr(trial, "NaiveTrial", FakeNaive)
    monkeypatch.setattr(trial, "best_dsc", lambda _: 0.75)
    row = tiny.row("naive")
    assert row.verdict == "error"
    assert row.error.startswith("validation DSC 0.500 apart, 0.01 allowed: DSC 0.750 (naive 0.250)")


def test_naive_row_has_the_target_and_both_numbers(tiny, monkeypatch):
    pytest.importorskip("medpy")
    monkeypatch.setattr(trial, "NaiveTrial", FakeNaive)
    monkeypatch.setattr(trial, "best_dsc", lambda _: 0.255)
    row = tiny.row("naive")
    assert row.targets == {"naive": 1 / 5}
    assert row.comparison.against["naive"].wall > 0
    assert "DSC 0.255 (naive 0.250)" in row.note
    assert "1 rounds" in row.note


def test_without_medpy_ours_is_still_timed(tiny, monkeypatch):
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "medpy" else found(name, *rest)
    )
    cells = tiny.row("naive").cells(Trial.baselines)
    assert cells["vs naive (wall)"] == "not installed"
    assert cells["ms"]


def test_eager_training_is_a_process_that_tells_its_seconds(job, tmp_path):
    assert EagerTraining(job, tmp_path)() > 0


@pytest.mark.parametrize(("name", "target"), [("eager", 1 / 1.3), ("eager bf16", 1 / 2.3)])
def test_steps_are_compared_with_default_eager_ones(tiny, monkeypatch, name, target):
    monkeypatch.setattr(trial, "EagerTraining", FakeEager)
    row = tiny.row(name)
    assert row.targets == {"eager": pytest.approx(target)}
    assert row.comparison.against["eager"].wall > 0
    assert ("bfloat16" in row.note) == (name == "eager bf16")


def test_start_has_a_limit_in_seconds(tiny):
    row = tiny.row("start")
    assert row.targets == {"limit": 1.0}
    assert row.comparison.against["limit"].wall == pytest.approx(row.comparison.seconds.wall)


def test_trials_for_a_gpu_run_on_a_cpu_too(tiny):
    row = tiny.long_trials("base 4", LongTrial(4, TINY, trials_per_hour=60, side_by_side=1))
    assert row.peers["limit"] == "60 trials/h"
    assert row.comparison.against["limit"].wall == pytest.approx(row.comparison.seconds.wall / 60)
    assert "trials/h of 25000 steps, 1 side by side, from 3 epochs of 1 steps" in row.note


def test_rows_depend_on_the_device():
    assert Trial(BenchOptions(device="cuda")).names() == ["naive", *LONG_TRIALS]
    assert Trial(BenchOptions()).names() == ["naive", "eager", "eager bf16", "start", "profile"]
    assert not any("," in name for name in LONG_TRIALS)  # --only takes a list with commas


def test_every_part_of_a_trial_is_found_by_the_profiler(job):
    found = profile_trial(replace(job, checkpoint_seconds=0.0))
    assert set(found.parts) == set(PARTS)
    assert sum(found.parts.values()) <= found.total


def test_shares_add_up_to_the_whole():
    shown = Profile(10.0, {"forward": 4.0, "backward": 5.0}).shares()
    assert "forward 40.0 %, loss 0.0 %, backward 50.0 %" in shown
    assert shown.endswith("other 10.0 %")


def test_bad_options_are_refused():
    with pytest.raises(InputError, match="benchmark 'trial' has no row 'nave'; did you mean 'naive'"):
        run_benchmark("trial", replace(CPU, only=("nave",)))
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="torch finds no GPU"):
            run_benchmark("trial", replace(CPU, device="cuda"))


@pytest.mark.full
def test_the_pool_leaves_the_environment_as_it_was(job):
    before = dict(os.environ)
    with warm_pool(2) as pool:
        assert dict(os.environ) == before
        work = PooledTrials(pool, job, 2, wall_per_trial)
        assert work() > 0
    assert len(work.last.finished) == 2


@pytest.mark.full
@pytest.mark.timeout(900)
def test_both_harnesses_reach_the_same_dsc():
    pytest.importorskip("medpy")
    options = BenchOptions(only=("naive", "profile"), size=48, settings=QUICK)
    naive, profile = run_benchmark("trial", options)
    assert not naive.error
    assert "DSC 0.9" in naive.note
    assert not profile.error
    assert "forward" in profile.note
