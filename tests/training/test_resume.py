"""An interrupted trial gives the numbers of one that was left alone."""

import random
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.losses import parse_loss
from harness.models import MODELS
from harness.training import checkpoint, determinism
from harness.training.hardware import processor
from harness.training.learner import Learner
from harness.training.trainer import train
from tests.training.losses import RunningMean, StatefulSpec

EVERYTHING = {
    "adam": {},
    "sgd": {
        "optimizer": {"name": "sgd", "lr": 0.02},
        "lr_schedule": {"name": "poly"},
        "clip_gradient": 0.5,
        "accumulate": 2,
    },
    "adamw": {"optimizer": {"name": "adamw", "lr": 0.01}, "lr_schedule": {"name": "cosine"}},
    "bfloat16": {"precision": "bfloat16", "checkpoint": "last"},
}


def interrupt_after(job, epochs):
    """Train so many epochs, then go away as a stopped worker does."""
    events = train(job)
    for _ in range(epochs + 1):
        next(events)
    events.close()


class Killed(Exception):
    """Stands for the end of a process."""


def kill_in_step(job, wanted, monkeypatch):
    """Train until so many steps of the optimiser have been taken, then die without a farewell."""
    taken = 0
    step = Learner._step

    def counted(self, group):
        nonlocal taken
        taken += 1
        if taken > wanted:
            raise Killed
        return step(self, group)

    with monkeypatch.context() as patched:
        patched.setattr(Learner, "_step", counted)
        with suppress(Killed):
            list(train(job))


def test_same_job_same_bits(job, numbers, tmp_path):
    first = list(train(job))
    torch.rand(7)  # generators in another state must not matter
    random.random()
    np.random.rand()  # noqa: NPY002
    second = list(train(replace(job, folder=tmp_path / "again")))
    assert numbers(first) == numbers(second)


@pytest.mark.parametrize("kind", EVERYTHING)
def test_interrupted_trial_resumes_bit_for_bit(kind, with_protocol, numbers, tmp_path):
    job = with_protocol(**EVERYTHING[kind])
    whole = list(train(job))
    epochs = random.Random(kind).randrange(1, job.protocol.epochs)
    interrupted = replace(job, folder=tmp_path / "interrupted")
    interrupt_after(interrupted, epochs)
    resumed = list(train(interrupted))
    assert resumed[0].resumed_at == epochs
    assert numbers(resumed) == numbers(whole)


@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kills=st.lists(st.integers(0, 9), min_size=1, max_size=3))
def test_a_trial_killed_in_random_steps_resumes_bit_for_bit(
    kills, job, numbers, monkeypatch, tmp_path_factory
):
    """Each attempt dies after so many steps; an epoch has three, so some get through one and some do not."""
    job = replace(job, checkpoint_seconds=0.0, score_test=False, folder=tmp_path_factory.mktemp("whole"))
    whole = list(train(job))
    killed = replace(job, folder=tmp_path_factory.mktemp("killed"))
    for steps in kills:
        kill_in_step(killed, steps, monkeypatch)
    assert numbers(list(train(killed))) == numbers(whole)


def test_a_model_that_draws_numbers_resumes_bit_for_bit(job, numbers, tmp_path):
    """Dropout takes from torch's generator; an augmentation of somebody else from the others."""

    class Noisy(torch.nn.Module):
        def __init__(self, in_channels, n_classes):
            super().__init__()
            self.head = torch.nn.Conv2d(in_channels, n_classes, 3, padding=1)

        def forward(self, image):
            if self.training:
                image = image + random.gauss(0, 0.1) + float(np.random.normal())  # noqa: NPY002
            return self.head(torch.nn.functional.dropout(image, 0.3, self.training))

    MODELS.register("noisy")(Noisy)
    try:
        noisy = replace(job, model="noisy", model_options={})
        whole = list(train(noisy))
        interrupted = replace(noisy, folder=tmp_path / "interrupted")
        interrupt_after(interrupted, 2)
        for generator in (torch.rand, np.random.rand):  # what happened in the process meanwhile
            generator(3)
        assert numbers(list(train(interrupted))) == numbers(whole)
    finally:
        del MODELS._entries["noisy"]


def test_the_state_of_a_loss_survives_an_interruption(job, numbers, tmp_path):
    stateful = replace(job, loss=StatefulSpec())
    whole = list(train(stateful))
    interrupted = replace(stateful, folder=tmp_path / "interrupted")
    interrupt_after(interrupted, 2)
    saved = checkpoint.load(interrupted.folder, job.key)
    assert saved is not None
    assert saved[1]["loss"]["losses.0.mean"] != RunningMean().mean
    assert numbers(list(train(interrupted))) == numbers(whole)


def test_checkpoints_come_no_more_often_than_asked(job, monkeypatch):
    saved = []
    monkeypatch.setattr(checkpoint, "save", lambda folder, key, progress, states: saved.append(1))
    list(train(replace(job, checkpoint_seconds=3600.0)))
    assert saved == []
    list(train(replace(job, checkpoint_seconds=0.0)))
    assert len(saved) == job.protocol.epochs


def test_the_numerics_class_is_told_and_a_change_of_it_too(job, finish, tmp_path, monkeypatch):
    whole = finish(job)
    for part in ("1 thread, float32", "channels_last", "eager", "deterministic", torch.__version__):
        assert part in whole.numerics
    assert processor().replace(",", " ") in whole.numerics.partition(",")[0]
    interrupt_after(job, 2)
    threads = finish(replace(job, threads=2)).numerics
    first, then = threads.split("; from epoch 2: ")
    assert first == whole.numerics
    assert then == whole.numerics.replace("1 thread,", "2 threads,")


def test_another_seed_gives_other_numbers(job, numbers):
    assert numbers(list(train(job))) != numbers(list(train(replace(job, seed=1))))


def test_all_random_states_are_restored():
    def draw():
        return torch.rand(2).tolist(), random.random(), random.gauss(0, 1), np.random.rand(2).tolist()  # noqa: NPY002

    random.gauss(0, 1)  # leaves half of a pair behind
    states = determinism.random_states()
    expected = draw()
    draw()
    determinism.restore_random_states(states)
    assert draw() == expected


@pytest.mark.parametrize("loss", ["dice_hausdorff", "exp_log", "focal + boundary"])
def test_losses_of_every_kind_resume_bit_for_bit(loss, job, numbers, tmp_path):
    wanted = replace(job, loss=parse_loss(loss), score_test=False)
    whole = list(train(wanted))
    interrupted = replace(wanted, folder=tmp_path / "interrupted")
    interrupt_after(interrupted, 1)
    assert numbers(list(train(interrupted))) == numbers(whole)
