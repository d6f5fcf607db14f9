"""What earlier trials took, grouped by what decides it; on both engines."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, select

from harness.store.database import Database
from harness.store.rows import digest_of, insert_row
from harness.store.schema import DatasetRow, EpochRow, LossRow, TrialRow
from harness.store.timings import Timing, time_key, timings

CPU = "x86_64 AVX512, 1 thread, float32, channels_last, eager, deterministic, torch 2.13.0"
GPU = "NVIDIA H100 80GB HBM3, CUDA 13.0, cuDNN 91900, float32, channels_last"
CANONICAL: Mapping[str, Any] = {
    "fingerprint": "f1",
    "split": {"kind": "holdout", "test": 2},
    "loss": {"terms": [{"name": "ce", "weight": 1.0}], "alpha": None},
    "model": {"name": "unet2d", "base_channels": 16},
    "protocol": {
        "epochs": 3,
        "batch_size": 8,
        "optimizer": {"name": "adam", "lr": 1e-3},
        "lr_schedule": {"name": "constant"},
        "precision": "float32",
    },
}
AddTrial = Callable[..., None]


@pytest.fixture
def add(database: Database) -> AddTrial:
    """Write a finished trial whose epochs took some seconds each."""

    def write(
        epochs: Sequence[float],
        canonical: Mapping[str, Any] = CANONICAL,
        numerics: str = CPU,
        seconds: float = 0.0,
        state: str = "done",
        peak: int | None = None,
    ) -> None:
        with database.write() as connection:
            number = len(connection.execute(select(TrialRow.id)).all())
            trial = insert_row(
                connection,
                TrialRow,
                key=f"{number:064}",
                dataset_id=_row(connection, DatasetRow, "fingerprint", canonical["fingerprint"]),
                loss_id=_row(connection, LossRow, "digest", digest_of(canonical["loss"])),
                seed=number,
                fold=0,
                purpose="study",
                canonical={**canonical, "seed": number},
                state=state,
                collapsed=False,
                numerics=numerics,
                seconds=seconds,
                finished=datetime.now(UTC),
            )
            for epoch, length in enumerate(epochs):
                point = {"train_loss": 0.5, "val_dsc": 0.5, "learning_rate": 1e-3}
                row = {"trial_id": trial, "epoch": epoch, "seconds": length, "peak_bytes": peak, **point}
                connection.execute(EpochRow.__table__.insert().values(**row))  # type: ignore[attr-defined]

    return write


def _row(connection: Connection, table: Any, column: str, value: str) -> int:
    known = connection.scalar(select(table.id).where(getattr(table, column) == value))
    if known is not None:
        return int(known)
    others = (
        {"name": value, "title": "", "classes": []}
        if table is DatasetRow
        else {"expression": "", "family": "region", "canonical": {}}
    )
    return insert_row(connection, table, **{column: value}, **others)


def changed(**values: Any) -> dict[str, Any]:
    """Return the canonical fields with other values in the protocol."""
    return {**CANONICAL, "protocol": {**CANONICAL["protocol"], **values}}


def test_the_seeds_of_a_cell_are_one_timing(database: Database, add: AddTrial) -> None:
    for pace in (1.0, 3.0, 2.0):
        add([9.0, pace, pace], seconds=9.0 + 2 * pace + 5.0, peak=int(pace * 100))
    [found] = timings(database, ["f1"])
    assert found == Timing(time_key(CANONICAL), "x86_64 AVX512", 2.0, 12.0, 200, 3)


def test_a_trial_of_one_epoch_has_that_pace(database: Database, add: AddTrial) -> None:
    add([4.0], changed(epochs=1), seconds=5.0)
    [found] = timings(database, ["f1"])
    assert (found.epoch_seconds, found.other_seconds, found.peak_bytes) == (4.0, 1.0, None)


def test_what_an_epoch_does_not_feel_does_not_part_trials(database: Database, add: AddTrial) -> None:
    add([1.0, 1.0])
    add([1.0, 1.0], changed(epochs=300, lr_schedule={"name": "poly"}, checkpoint="last"))
    add([1.0, 1.0], changed(optimizer={"name": "adam", "lr": 0.5}))
    add([1.0, 1.0], {**CANONICAL, "loss": {**CANONICAL["loss"], "alpha": {"schedule": "constant"}}})
    assert [found.trials for found in timings(database, ["f1"])] == [4]


@pytest.mark.parametrize(
    "other",
    [
        changed(batch_size=16),
        changed(precision="bfloat16"),
        changed(optimizer={"name": "sgd"}),
        changed(metrics_every=2),
        {**CANONICAL, "model": {"name": "unet2d", "base_channels": 32}},
        {**CANONICAL, "split": {"kind": "kfold", "k": 5}},
        {**CANONICAL, "loss": {"terms": [{"name": "dice"}]}},
        {**CANONICAL, "fingerprint": "f2"},
    ],
)
def test_what_changes_the_work_parts_trials(other: Mapping[str, Any]) -> None:
    assert time_key(other) != time_key(CANONICAL)


def test_devices_are_kept_apart(database: Database, add: AddTrial) -> None:
    add([8.0, 8.0])
    add([1.0, 1.0], numerics=GPU)
    add([1.0, 1.0], numerics=f"{CPU}; from epoch 1: {GPU}")
    paces = {found.device: (found.epoch_seconds, found.trials) for found in timings(database, ["f1"])}
    assert paces == {"x86_64 AVX512": (8.0, 1), "NVIDIA H100 80GB HBM3": (1.0, 2)}


def test_a_diverged_trial_tells_its_pace_but_not_the_time_of_scoring(
    database: Database, add: AddTrial
) -> None:
    add([2.0, 2.0], state="diverged", seconds=4.0)
    [found] = timings(database, ["f1"])
    assert (found.epoch_seconds, found.other_seconds) == (2.0, None)


def test_other_datasets_are_not_asked_for(database: Database, add: AddTrial) -> None:
    add([1.0, 1.0], {**CANONICAL, "fingerprint": "f2"})
    assert timings(database, ["f1"]) == []
    assert timings(database, []) == []
