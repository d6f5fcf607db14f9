"""Peak memory, and the sentence about too little of it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.training import memory
from harness.training.learner import Learner
from harness.training.memory import OutOfMemory
from harness.training.trainer import train

CPU = torch.device("cpu")


def test_the_peak_forgets_what_was_before() -> None:
    memory.reset_peak(CPU)
    before = memory.peak_bytes(CPU)
    large = np.ones(200 * 2**20, np.uint8)
    assert memory.peak_bytes(CPU) >= before + 150 * 2**20
    del large
    if not memory._CLEAR.exists():
        pytest.skip("this system cannot forget a peak")
    memory.reset_peak(CPU)
    assert memory.peak_bytes(CPU) < before + 100 * 2**20


@pytest.mark.parametrize(
    "allocate", [lambda: torch.empty(2**46), lambda: np.empty(2**46)], ids=["torch", "numpy"]
)
def test_real_refusals_are_recognised(allocate) -> None:
    with pytest.raises((RuntimeError, MemoryError)) as refused:
        allocate()
    assert memory.is_out_of_memory(refused.value)


def test_other_errors_are_not_taken_for_it() -> None:
    assert memory.is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"))
    assert not memory.is_out_of_memory(RuntimeError("shape mismatch"))
    assert not memory.is_out_of_memory(KeyError("memory"))


def test_out_of_memory_names_epoch_batch_size_and_remedy(job, monkeypatch) -> None:
    epoch = Learner.train_epoch

    def full(self, number, batches):
        if number == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nMore lines")
        return epoch(self, number, batches)

    monkeypatch.setattr(Learner, "train_epoch", full)
    with pytest.raises(OutOfMemory) as refused:
        list(train(job))
    assert str(refused.value) == (
        "out of memory on this machine in epoch 2 with protocol.batch_size 4; try protocol.batch_size 2 with "
        "protocol.accumulate 2, or fewer model.base_channels, or a smaller 'size' of the dataset's slices "
        "(CUDA out of memory. Tried to allocate 2.00 GiB.)"
    )


def test_on_a_gpu_the_remedies_are_those_of_a_gpu(job) -> None:
    error = torch.OutOfMemoryError("CUDA out of memory.")
    sentence = str(memory.explain(error, replace(job, device="cuda"), "in epoch 0"))
    for remedy in ("on the GPU", "--trials-per-gpu", "precision bfloat16", "--slices mapped"):
        assert remedy in sentence


def test_a_network_that_needs_too_much_says_so_from_the_start(job) -> None:
    wide = replace(job, model_options={"base_channels": 2**24, "depth": 1})
    with pytest.raises(OutOfMemory, match=r"at the start .* fewer model\.base_channels"):
        list(train(wide))
