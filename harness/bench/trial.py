"""The benchmark of whole trials: against a naive harness, against default eager training, and on a GPU."""

import importlib.util
import multiprocessing
import os
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from statistics import mean
from types import MappingProxyType
from typing import Any

from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions, Row
from harness.bench.clocks import Work
from harness.bench.measure import Comparison, Settings, compare
from harness.bench.trial_archive import N_CLASSES, SPLIT, Archive
from harness.bench.trial_profile import ProfiledTrial
from harness.bench.trial_runs import (
    EagerTraining,
    NaiveTrial,
    Pass,
    PooledTrials,
    ToldClock,
    extrapolated,
    naive_config,
    start,
    training_per_trial,
    wall_per_trial,
    warm_pool,
)
from harness.data.prepare import prepare
from harness.data.prepared import PreparedDataset
from harness.data.splits import partition
from harness.losses import parse_loss
from harness.training.job import TrainingJob
from harness.training.protocol import Protocol

NAIVE, EAGER, LIMIT = "naive", "eager", "limit"

MOST_DSC_APART = 0.01
"""Both harnesses must reach the same validation DSC, or the comparison says nothing."""

MOST_ROUNDS = 3
"""A sample of the naive harness takes a minute or two, and one of ours a third of that."""

STEPS = 25_000
"""Of the trials that the targets of a GPU are stated for."""

_FASTER_THAN_NAIVE = MappingProxyType({"cpu": 5.0, "cuda": 8.0})
_FASTER_THAN_EAGER = MappingProxyType({"float32": 1.3, "bfloat16": 2.3})
_MOST_SECONDS_TO_START = 1.0
_TRIALS_PER_GPU = 4
_BATCH, _EPOCHS, _EPOCHS_OF_EAGER = 8, 5, 2
_ARCHIVE = Archive(cases=12, slices=16, size=96)


@dataclass(frozen=True)
class LongTrial:
    """A row for a GPU: trials of :data:`STEPS` steps, extrapolated from a few epochs.

    Attributes:
        base_channels: Of the U-Net.
        archive: What is trained on.
        trials_per_hour: Target.
        side_by_side: Trials that share the GPU.
    """

    base_channels: int
    archive: Archive
    trials_per_hour: float
    side_by_side: int


LONG_TRIALS: Mapping[str, LongTrial] = MappingProxyType(
    {
        "base 32 at 256x256": LongTrial(32, Archive(20, 48, 256), trials_per_hour=60, side_by_side=2),
        "base 16 at 128x128": LongTrial(16, Archive(20, 48, 128), trials_per_hour=450, side_by_side=10),
    }
)


@BENCHMARKS.register("trial")
class Trial(Benchmark):
    """Seconds of a trial, by the clock on the wall: U-Net base 16, 8x96x96, generalised Dice + boundary.

    Our trials run side by side on warm workers, one core and thread each; a time is that of the pass over
    their number. Samples take long: a row has three rounds at most, whatever the option says, and is not
    repeated where its A/A pair is off; ``start`` has all rounds, ``profile`` one.

    ``naive``: a whole trial against one of ``harness/bench/naive/train.py``. ``eager``: the training steps
    against default eager ones. ``start``: from submission to the first step. ``profile``: where the time
    goes. With ``--device cuda``: ``naive``, and trials of 25 000 steps per hour.
    """

    baselines = (NAIVE, EAGER, LIMIT)

    def __init__(self, options: BenchOptions) -> None:
        super().__init__(options)
        self._scratch = tempfile.TemporaryDirectory(prefix="lossbench-bench-")
        self._archive = replace(_ARCHIVE, size=options.size or _ARCHIVE.size)

    def names(self) -> list[str]:
        """Return what is timed on the device."""
        return list(self._rows)

    def row(self, name: str) -> Row:
        """Time one of them."""
        return self._rows[name](name)

    @property
    def _rows(self) -> dict[str, Callable[[str], Row]]:
        if self.options.device == "cuda":
            long = {name: lambda row: self.long_trials(row, LONG_TRIALS[row]) for name in LONG_TRIALS}
            return {NAIVE: self._naive, **long}
        return {
            NAIVE: self._naive,
            EAGER: lambda name: self._eager(name, "float32"),
            f"{EAGER} bf16": lambda name: self._eager(name, "bfloat16"),
            "start": self._start,
            "profile": self._profile,
        }

    @cached_property
    def _settings(self) -> Settings:
        """As asked for, but in samples of one call, and no more rounds than somebody waits for."""
        rounds = min(self.options.settings.rounds, MOST_ROUNDS)
        return Settings(rounds, sample_seconds=1e-9, retries=0)

    @property
    def _workers(self) -> int:
        """As ``lossbench run`` has: one per core, or some per GPU."""
        return _TRIALS_PER_GPU if self.options.device == "cuda" else len(os.sched_getaffinity(0))

    @cached_property
    def _prepared(self) -> PreparedDataset:
        return prepared(self._archive, self._folder)

    @property
    def _folder(self) -> Path:
        return Path(self._scratch.name)

    def _job(self, **protocol: Any) -> TrainingJob:
        return job_of(self._prepared, self._folder / "trials", self.options.device, protocol)

    def _naive(self, name: str) -> Row:
        """Compare whole trials, and refuse to if they do not end alike."""
        precision = "bfloat16" if self.options.device == "cuda" else "float32"
        job = self._job(precision=precision)
        sides = partition(SPLIT, self._prepared.patients, job.seed, job.fold)
        config = naive_config(self._folder / "blobs", job, {**dict(sides), "n_classes": N_CLASSES})
        theirs = NaiveTrial(config, self._folder)
        installed = importlib.util.find_spec("medpy") is not None
        with warm_pool(self._workers, self._shares(self._workers)) as pool:
            ours = PooledTrials(pool, job, self._workers, wall_per_trial)
            comparison = self._compare(ours, {NAIVE: theirs} if installed else {})
        assert ours.last is not None
        if not installed:
            return Row(name, comparison, peers={NAIVE: "not installed"}, note="the naive harness needs MedPy")
        apart = abs(best_dsc(ours.last) - max(theirs.last["curve"]))
        note = _note(ours.last, theirs.last, self._settings.rounds)
        if apart > MOST_DSC_APART:
            return Row(name, error=f"validation DSC {apart:.3f} apart, {MOST_DSC_APART} allowed: {note}")
        return Row(name, comparison, targets={NAIVE: 1 / _FASTER_THAN_NAIVE[self.options.device]}, note=note)

    def _eager(self, name: str, precision: str) -> Row:
        """Compare the steps alone."""
        job = self._job(epochs=_EPOCHS_OF_EAGER, precision=precision)
        theirs = EagerTraining(
            replace(job, protocol=self._job(epochs=_EPOCHS_OF_EAGER).protocol), self._folder
        )
        with warm_pool(self._workers) as pool:
            ours = PooledTrials(pool, job, self._workers, training_per_trial)
            comparison = self._compare(ours, {EAGER: theirs})
        note = (
            f"steps of {_EPOCHS_OF_EAGER} epochs, {self._workers} x 1 thread, channels_last, {precision}; "
            "eager: serial, NCHW, float32, default threads"
        )
        return Row(name, comparison, targets={EAGER: 1 / _FASTER_THAN_EAGER[precision]}, note=note)

    def _start(self, name: str) -> Row:
        """Time how long a warm worker takes to its first step."""
        with warm_pool(1) as pool:
            ours = PooledTrials(pool, self._job(epochs=1), 1, start)
            settings = replace(self._settings, rounds=self.options.settings.rounds)
            comparison = self._compare(ours, {LIMIT: lambda: _MOST_SECONDS_TO_START}, settings)
        return Row(
            name,
            comparison,
            targets={LIMIT: 1.0},
            peers={LIMIT: f"{_MOST_SECONDS_TO_START:g} s"},
            note=f"submission to first step on a warm worker, all slices loaded; limit "
            f"{_MOST_SECONDS_TO_START:g} s",
        )

    def _profile(self, name: str) -> Row:
        """Time the parts of a trial that has the machine for itself."""
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=spawn) as process:
            ours = ProfiledTrial(process, replace(self._job(), folder=self._folder / "profiled"))
            comparison = self._compare(ours, {}, replace(self._settings, rounds=1))
        return Row(name, comparison, note=f"one trial of {_EPOCHS} epochs alone: {ours.last.shares()}")

    def long_trials(self, name: str, wanted: LongTrial) -> Row:
        """Measure some epochs of trials that share a GPU, and extrapolate.

        Args:
            name: Of the row.
            wanted: What to train, and the target.
        """
        with tempfile.TemporaryDirectory(prefix="lossbench-bench-") as folder:
            data = prepared(wanted.archive, Path(folder))
            on_gpu = self.options.device == "cuda"
            protocol = {"epochs": 4, "precision": "bfloat16", "compile": on_gpu}
            job = job_of(data, Path(folder) / "trials", self.options.device, protocol, wanted.base_channels)
            steps_per_epoch = -(-wanted.archive.training_slices // _BATCH)
            with warm_pool(wanted.side_by_side, self._shares(wanted.side_by_side)) as pool:
                told = extrapolated(STEPS, steps_per_epoch)
                ours = PooledTrials(pool, job, wanted.side_by_side, told)
                limit = 3600 / wanted.trials_per_hour
                comparison = self._compare(ours, {LIMIT: lambda: limit})
        reached = 3600 / comparison.seconds.wall
        note = (
            f"{reached:.0f} trials/h of {STEPS} steps, {wanted.side_by_side} side by side, from 3 epochs of "
            f"{steps_per_epoch} steps, validation included, start and scoring not; bf16"
            f"{', compiled' if on_gpu else ''}"
        )
        return Row(
            name,
            comparison,
            targets={LIMIT: 1.0},
            peers={LIMIT: f"{wanted.trials_per_hour:g} trials/h"},
            note=note,
        )

    def _shares(self, workers: int) -> int:
        return workers if self.options.device == "cuda" else 0

    def _compare(
        self, ours: Work, others: Mapping[str, Work], settings: Settings | None = None
    ) -> Comparison:
        return compare(ours, others, ToldClock(), settings or self._settings)


def prepared(archive: Archive, folder: Path) -> PreparedDataset:
    """Write the dataset into a folder and prepare it there."""
    return prepare(archive.write(folder), folder, folder / "cache")


def job_of(
    data: PreparedDataset,
    folder: Path,
    device: str,
    protocol: Mapping[str, Any],
    base_channels: int = 16,
) -> TrainingJob:
    """Return the trial that is timed.

    Args:
        data: Prepared dataset.
        folder: Where its files go.
        device: ``cpu`` or ``cuda``.
        protocol: What differs from Adam with learning rate 0.01 and the defaults.
        base_channels: Of the U-Net.
    """
    wanted = {"epochs": _EPOCHS, "batch_size": _BATCH, "optimizer": {"lr": 0.01}, **protocol}
    return TrainingJob(
        key="0" * 64,
        prepared=data.folder,
        split=SPLIT,
        fold=0,
        seed=0,
        loss=parse_loss("gdl + boundary", {"schedule": "increase"}),
        model="unet2d",
        model_options={"base_channels": base_channels, "depth": 4},
        protocol=Protocol.model_validate(wanted),
        score_test=True,
        folder=folder,
        device=device,
    )


def best_dsc(found: Pass) -> float:
    """Return the best validation DSC of a pass; its trials are copies, so of any."""
    return found.finished[0].best_val_dsc or 0.0


def _note(ours: Pass, theirs: Mapping[str, Any], rounds: int) -> str:
    epochs = mean(sum(each.seconds for each in curve) for curve in ours.epochs)
    rest = theirs["wall"] - theirs["epochs_seconds"] - theirs["scoring_seconds"]
    per_epoch = epochs / ours.trials / theirs["epochs_seconds"]
    return (
        f"DSC {best_dsc(ours):.3f} (naive {max(theirs['curve']):.3f}); naive: epochs "
        f"{theirs['epochs_seconds']:.0f} s, scoring {theirs['scoring_seconds']:.0f} s, start {rest:.0f} s; "
        f"ours: {ours.trials} side by side in {ours.wall:.0f} s, epochs {epochs:.0f} s; epochs alone "
        f"{per_epoch:.2f}; wall times, {rounds} rounds"
    )
