"""Checkpoints: whole or not there, and only for the trial that wrote them."""

import logging
from dataclasses import replace

import pytest
import torch

from harness.training import checkpoint
from harness.training.checkpoint import Progress
from harness.training.trainer import train


@pytest.fixture
def left(job):
    """A job that was interrupted after its first epoch."""
    events = train(job)
    next(events), next(events)
    events.close()
    return job


def test_a_failed_write_leaves_the_old_checkpoint(left, monkeypatch):
    before = (left.folder / "checkpoint.pt").read_bytes()

    def full_disk(content, stream):
        stream.write(b"half of it")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(OSError, match="no space"):
        checkpoint.save(left.folder, left.key, Progress(), {})
    assert (left.folder / "checkpoint.pt").read_bytes() == before
    assert [path.name for path in left.folder.iterdir()] == ["checkpoint.pt"]


def test_a_damaged_checkpoint_is_told_and_not_used(left, caplog):
    path = left.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:-2000])
    with caplog.at_level(logging.WARNING):
        assert next(train(left)).resumed_at == 0
    assert "cannot be read" in caplog.text
    assert "begins anew" in caplog.text


def test_a_checkpoint_serves_no_other_trial(left, caplog):
    with caplog.at_level(logging.WARNING):
        assert next(train(replace(left, key="other"))).resumed_at == 0
    assert "of another version or trial" in caplog.text


def test_a_checkpoint_of_another_format_is_not_used(left, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", checkpoint.FORMAT + 1)
    assert next(train(left)).resumed_at == 0


def test_a_checkpoint_runs_no_code_when_it_is_loaded(left, caplog):
    class Evil:
        def __reduce__(self):
            return (pytest.fail, ("code ran",))

    torch.save({"format": checkpoint.FORMAT, "key": left.key, "x": Evil()}, left.folder / "checkpoint.pt")
    assert checkpoint.load(left.folder, left.key) is None
