"""A small trial, and what of it must repeat to the bit."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from harness.data.splits import HoldoutSplit
from harness.losses import parse_loss
from harness.training.job import Event, Finished, TrainingJob
from harness.training.protocol import Protocol
from harness.training.trainer import train


@pytest.fixture
def job(prepared_discs, tmp_path) -> TrainingJob:
    return TrainingJob(
        key="k" * 64,
        prepared=prepared_discs.folder,
        split=HoldoutSplit(test=2, validation=2),
        fold=0,
        seed=0,
        loss=parse_loss("gdl + boundary", {"schedule": "rebalance", "over": 1.0}),
        model="unet2d",
        model_options={"base_channels": 4, "depth": 2},
        protocol=Protocol.model_validate(
            {
                "epochs": 4,
                "batch_size": 4,
                "optimizer": {"lr": 0.01},
                "lr_schedule": {"name": "plateau", "patience": 1},
            }
        ),
        score_test=True,
        folder=tmp_path / "trial",
    )


@pytest.fixture
def numbers() -> Callable[[Sequence[Event]], Any]:
    """Everything that a trial stores but clocks and memory."""

    def stored(events: Sequence[Event]) -> Any:
        finished = events[-1]
        assert isinstance(finished, Finished)
        curve = [
            replace(record, seconds=0.0, validation_seconds=0.0, peak_bytes=0) for record in finished.epochs
        ]
        return replace(finished, epochs=tuple(curve), seconds=0.0)

    return stored


@pytest.fixture
def with_protocol(job) -> Callable[..., TrainingJob]:
    """Return the job with other values in its protocol."""

    def changed(**values: Any) -> TrainingJob:
        fields = job.protocol.model_dump(mode="json") | values
        return replace(job, protocol=Protocol.model_validate(fields))

    return changed


@pytest.fixture
def finish() -> Callable[[TrainingJob], Finished]:
    """Run a trial to its end."""

    def run(job: TrainingJob) -> Finished:
        *_, finished = train(job)
        assert isinstance(finished, Finished)
        return finished

    return run
