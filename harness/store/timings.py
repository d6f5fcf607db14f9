"""What trials have cost so far: seconds and memory, by dataset, loss, kind of work and device."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Row, Select, case, func, select

from harness.store.database import Database
from harness.store.rows import digest_of
from harness.store.schema import FINAL_STATES, DatasetRow, EpochRow, TrialRow
from harness.store.sql_parts import AnySelect

_COSTS_NOTHING = frozenset({"epochs", "optimizer", "lr_schedule", "checkpoint"})
"""Fields of the protocol that do not change how long an epoch takes; the optimiser's name does."""

_EPOCHS = 20
"""So many epochs of a trial tell its pace: of ten thousand trials, all would be read for a second or more."""


@dataclass(frozen=True)
class TimeKey:
    """What decides how long an epoch of a trial takes on a given device.

    Attributes:
        dataset: Fingerprint of the prepared dataset.
        work: Digest of model, split and those fields of the protocol that cost time.
        loss: Digest of the terms of the loss; its alpha schedule costs nothing.
    """

    dataset: str
    work: str
    loss: str


@dataclass(frozen=True)
class Timing:
    """What the finished trials of one kind took on one device.

    Attributes:
        key: Which kind.
        device: As trials name it: ``x86_64 AVX512``, ``NVIDIA H100 80GB HBM3``.
        epoch_seconds: Median over the trials of their mean epoch, the first left out.
        other_seconds: Median of what a trial takes beside: set-up, the extra time of its first epoch,
            scoring. None if no trial came to its end.
        peak_bytes: Median of the largest memory of a trial; None if it was not measured.
        trials: How many there are.
    """

    key: TimeKey
    device: str
    epoch_seconds: float
    other_seconds: float | None
    peak_bytes: int | None
    trials: int


def time_key(canonical: Mapping[str, Any]) -> TimeKey:
    """Return which kind of work a trial is.

    Args:
        canonical: Fields of the trial, as its key hashes them.
    """
    protocol = canonical.get("protocol", {})
    costly = {name: value for name, value in protocol.items() if name not in _COSTS_NOTHING}
    costly["optimizer"] = protocol.get("optimizer", {}).get("name")
    work = {"model": canonical.get("model"), "split": canonical.get("split"), "protocol": costly}
    loss = canonical.get("loss", {})
    return TimeKey(canonical.get("fingerprint", ""), digest_of(work), digest_of({"terms": loss.get("terms")}))


def timings(database: Database, fingerprints: Collection[str]) -> list[Timing]:
    """Return what the trials on some datasets have cost, of all studies and searches.

    Args:
        database: Results.
        fingerprints: Of the prepared datasets.
    """
    found: dict[tuple[TimeKey, str], list[Row[Any]]] = defaultdict(list)
    with database.read() as connection:
        for row in connection.execute(_question(fingerprints)):
            found[time_key(row.canonical), device_of(row.numerics)].append(row)
    return [_timing(key, device, rows) for (key, device), rows in found.items()]


def device_of(numerics: str) -> str:
    """Return the device that a numerics class begins with; the last one, if a trial went on elsewhere.

    >>> device_of("x86_64 AVX2, 1 thread, float32; from epoch 3: NVIDIA A100, CUDA 12.8, float32")
    'NVIDIA A100'
    """
    last = numerics.rpartition("; from epoch ")[2]
    first, _, _ = last.partition(", ")
    return first.rpartition(": ")[2]


def _question(fingerprints: Collection[str]) -> AnySelect:
    """Return one row per finished trial: the mean of its epochs, with and without the first; the peak."""
    later = case((EpochRow.epoch > 0, EpochRow.seconds))
    epochs: Select[Any] = (
        select(
            EpochRow.trial_id,
            func.avg(EpochRow.seconds).label("mean"),
            func.avg(later).label("later"),
            func.max(EpochRow.peak_bytes).label("peak"),
        )
        .join(TrialRow, TrialRow.id == EpochRow.trial_id)
        .join(DatasetRow, DatasetRow.id == TrialRow.dataset_id)
        .where(DatasetRow.fingerprint.in_(fingerprints), EpochRow.epoch <= _EPOCHS)
        .group_by(EpochRow.trial_id)
    )
    curve = epochs.subquery()
    return (
        select(TrialRow.canonical, TrialRow.numerics, TrialRow.state, TrialRow.seconds, curve)
        .join(curve, curve.c.trial_id == TrialRow.id)
        .where(TrialRow.state.in_(FINAL_STATES), TrialRow.numerics.is_not(None))
    )


def _timing(key: TimeKey, device: str, rows: list[Row[Any]]) -> Timing:
    paces = [row.mean if row.later is None else row.later for row in rows]
    beside = [
        max(0.0, row.seconds - row.canonical["protocol"]["epochs"] * pace)
        for row, pace in zip(rows, paces, strict=True)
        if row.state == "done" and row.seconds is not None
    ]
    peaks = [row.peak for row in rows if row.peak]
    return Timing(
        key=key,
        device=device,
        epoch_seconds=median(paces),
        other_seconds=median(beside) if beside else None,
        peak_bytes=int(median(peaks)) if peaks else None,
        trials=len(rows),
    )
