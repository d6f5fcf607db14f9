"""A stored network comes back whole, and what is none is refused in one sentence."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import InputError
from harness.models import build_model
from harness.training.model_file import StoredModel, load, save
from harness.training.prediction import Segmenter, choose_device

OPTIONS = {"base_channels": 4, "depth": 2}
CPU = torch.device("cpu")


@pytest.fixture
def stored() -> StoredModel:
    torch.manual_seed(3)
    return StoredModel(
        key="a" * 64,
        model="unet2d",
        options=OPTIONS,
        in_channels=2,
        n_classes=3,
        channels=("flair", "t1"),
        classes=("background", "core", "rim"),
        description={"name": "set"},
        precision="float32",
        checkpoint="best",
        epoch=7,
        weights=build_model("unet2d", 2, 3, **OPTIONS).state_dict(),
    )


def test_a_network_comes_back_as_it_was(stored, tmp_path):
    save(tmp_path / "new" / "model.pt", stored)
    found = load(tmp_path / "new" / "model.pt")
    assert replace(found, weights={}) == replace(stored, weights={})
    assert found.weights.keys() == stored.weights.keys()
    assert all(torch.equal(found.weights[name], value) for name, value in stored.weights.items())
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["model.pt"]


def test_a_file_cut_anywhere_is_refused(stored, tmp_path):
    path = tmp_path / "model.pt"
    save(path, stored)
    content = path.read_bytes()
    for length in (0, 1, 100, len(content) // 2, len(content) - 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(InputError, match=r"'model\.pt' cannot be read: it is cut short, or no model"):
            load(path)


@pytest.mark.parametrize("content", [{"state_dict": {}}, [1, 2], torch.zeros(2)])
def test_other_files_of_torch_are_refused(content, tmp_path):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match="is not a model file"):
        load(tmp_path / "model.pt")


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"format": print}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="cannot be read"):
        load(tmp_path / "model.pt")


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(InputError, match=r"'model\.pt' does not exist"):
        load(tmp_path / "model.pt")


def test_slices_are_segmented_alike_however_many_there_are(stored):
    slices = np.random.default_rng(2).normal(size=(37, 2, 24, 20)).astype(np.float32)
    segmenter = Segmenter(stored, CPU)
    classes = segmenter.classes(slices)
    assert classes.dtype == np.uint8
    assert classes.shape == (37, 24, 20)
    assert set(np.unique(classes)) == {0, 1, 2}
    model = build_model("unet2d", 2, 3, **OPTIONS).eval()
    model.load_state_dict(stored.weights)
    with torch.no_grad():
        logits = model(torch.from_numpy(slices))
    unsure = np.diff(np.sort(logits.numpy(), axis=1)[:, 1:], axis=1)[:, 0] < 1e-5
    np.testing.assert_array_equal(classes[~unsure], logits.argmax(1).numpy()[~unsure])


@pytest.mark.parametrize(
    "change",
    [
        {"options": {"base_channels": 8, "depth": 2}},
        {"options": {"width": 4}},
        {"model": "no_such_package.module:Net"},
    ],
)
def test_weights_of_another_network_are_refused(stored, change):
    with pytest.raises(InputError, match="cannot be built from its file"):
        Segmenter(replace(stored, **change), CPU)


def test_lack_of_memory_is_one_sentence(stored, monkeypatch):
    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB")

    segmenter = Segmenter(stored, CPU)
    monkeypatch.setattr(segmenter, "_model", refuse)
    with pytest.raises(InputError, match="out of memory on this machine with 16 slices of 8 x 8 pixels"):
        segmenter.classes(np.zeros((2, 2, 8, 8), np.float32))


def test_a_gpu_that_is_not_there_is_told(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert choose_device("auto") == CPU
    with pytest.raises(InputError, match="finds no GPU; use --device cpu"):
        choose_device("cuda")
    with pytest.raises(InputError, match="unknown device 'tpu'"):
        choose_device("tpu")
