"""A naive harness: one process trains and scores one model, as a careful student writes it.

What it does, and what lossbench does otherwise:

* volumes are read with nibabel from ``.nii.gz`` for every slice, z-scored and cut (nothing is cached);
* a ``DataLoader`` with 2 workers makes the batches; slices are flipped left to right at random;
* the loss is generalised Dice + alpha x boundary, alpha 0.01 more each epoch; the signed distance
  maps are made with scipy for every slice that is loaded, in the workers, as the published code does;
* the network is lossbench's U-Net, eager, NCHW, float32, with torch's default threads; Adam, a plateau
  schedule;
* after each epoch whole validation cases are segmented and their mean DSC decides which weights are kept;
* the best weights are scored on validation and test cases with MedPy: DSC, HD, HD95, ASSD.

Usage: ``python train.py CONFIG.json RESULT.json``; :class:`Config` says what the configuration holds.
"""

import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import torch
from medpy.metric.binary import assd, dc, hd, hd95
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from harness.models import build_model

Sample = tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]

METRICS = {"dc": dc, "hd": hd, "hd95": hd95, "assd": assd}


@dataclass(frozen=True)
class Config:
    """What one run needs.

    Attributes:
        folder: Holds ``{case}/image.nii.gz`` and ``{case}/label.nii.gz``.
        train: Training cases.
        validation: Validation cases.
        test: Test cases.
        n_classes: Background included.
        model_options: Of the U-Net.
        epochs: Passes over the training slices.
        batch_size: Slices per step.
        lr: Of Adam.
        seed: Of torch.
        device: ``cpu`` or ``cuda``.
    """

    folder: str
    train: list[str]
    validation: list[str]
    test: list[str]
    n_classes: int
    model_options: dict[str, Any]
    epochs: int
    batch_size: int
    lr: float
    seed: int
    device: str = "cpu"


def load_image(folder: Path) -> NDArray[np.float32]:
    """Return the z-scored volume (x, y, z) of a case."""
    image: NDArray[np.float32] = nib.load(folder / "image.nii.gz").get_fdata(dtype=np.float32)  # type: ignore[attr-defined]
    return np.asarray((image - image.mean()) / image.std())


def load_label(folder: Path) -> NDArray[np.int64]:
    """Return the label map (x, y, z) of a case."""
    return np.asarray(nib.load(folder / "label.nii.gz").dataobj).astype(np.int64)  # type: ignore[attr-defined]


def spacing_of(folder: Path) -> tuple[float, ...]:
    """Return millimetres per voxel along (x, y, z)."""
    zooms = nib.load(folder / "label.nii.gz").header.get_zooms()  # type: ignore[attr-defined]
    return tuple(float(size) for size in zooms)


def signed_distances(
    label: NDArray[np.int64], n_classes: int, spacing: tuple[float, ...]
) -> NDArray[np.float32]:
    """Return the signed distance to the boundary of each class (C, x, y), negative inside."""
    maps = np.zeros((n_classes, *label.shape), dtype=np.float32)
    for index in range(n_classes):
        mask = label == index
        if mask.any() and not mask.all():
            outside = distance_transform_edt(~mask, sampling=spacing)
            inside = distance_transform_edt(mask, sampling=spacing)
            maps[index] = outside - inside
    return maps


class SliceDataset(Dataset[Sample]):
    """Training slices (C, x, y), labels and distance maps, read from disk one at a time."""

    def __init__(self, config: Config) -> None:
        self.folders = [Path(config.folder) / case for case in config.train]
        self.n_classes = config.n_classes
        depths = [nib.load(folder / "label.nii.gz").shape[2] for folder in self.folders]  # type: ignore[attr-defined]
        self.index = [(case, z) for case, depth in enumerate(depths) for z in range(depth)]

    def __len__(self) -> int:
        return len(self.index)

    def __getitem__(self, position: int) -> Sample:
        case, z = self.index[position]
        folder = self.folders[case]
        image, label = load_image(folder)[:, :, z], load_label(folder)[:, :, z]
        if torch.rand(()) < 0.5:
            image, label = image[::-1].copy(), label[::-1].copy()
        return image[None], label, signed_distances(label, self.n_classes, spacing_of(folder)[:2])


def generalised_dice(p: Tensor, onehot: Tensor) -> Tensor:
    """Generalised Dice loss (Sudre et al. 2017) of probabilities (B, C, x, y)."""
    sizes = onehot.sum((0, 2, 3))
    weights = torch.where(sizes > 0, 1 / sizes.clamp(min=1) ** 2, 0.0)
    overlap = (p * onehot).sum((0, 2, 3))
    return 1 - 2 * (weights * overlap).sum() / (weights * (p.sum((0, 2, 3)) + sizes)).sum()


def loss_of(logits: Tensor, label: Tensor, distances: Tensor, alpha: float) -> Tensor:
    """Return generalised Dice + alpha x boundary (Kervadec et al. 2021), the latter over the foreground."""
    p = logits.softmax(1)
    onehot = nn.functional.one_hot(label, logits.shape[1]).movedim(-1, 1).float()
    return generalised_dice(p, onehot) + alpha * (p[:, 1:] * distances[:, 1:]).mean()


@torch.no_grad()
def segment(model: nn.Module, folder: Path, device: str) -> NDArray[np.int64]:
    """Return the predicted label map (x, y, z) of a case."""
    model.eval()
    slices = torch.from_numpy(load_image(folder)).permute(2, 0, 1)[:, None]
    classes = [model(batch.contiguous().to(device)).argmax(1).cpu() for batch in torch.split(slices, 16)]
    return torch.cat(classes).permute(1, 2, 0).numpy()


def mean_dsc(model: nn.Module, config: Config, cases: list[str]) -> float:
    """Return the mean DSC over cases and foreground classes."""
    found = []
    for case in cases:
        folder = Path(config.folder) / case
        predicted, truth = segment(model, folder, config.device), load_label(folder)
        found += [dc(predicted == index, truth == index) for index in range(1, config.n_classes)]
    return float(np.mean(found))


def score(model: nn.Module, config: Config, cases: list[str]) -> dict[str, dict[str, list[float]]]:
    """Return every metric of every class, by case; NaN where a mask is empty."""
    found: dict[str, dict[str, list[float]]] = {}
    for case in cases:
        folder = Path(config.folder) / case
        predicted, truth, spacing = (
            segment(model, folder, config.device),
            load_label(folder),
            spacing_of(folder),
        )
        found[case] = {name: [] for name in METRICS}
        for index in range(1, config.n_classes):
            p, t = predicted == index, truth == index
            found[case]["dc"].append(float(dc(p, t)))
            for name in ("hd", "hd95", "assd"):
                both = p.any() and t.any()
                value = METRICS[name](p, t, voxelspacing=spacing) if both else np.nan
                found[case][name].append(float(value))
    return found


def train_epoch(
    model: nn.Module, loader: Any, optimizer: torch.optim.Optimizer, alpha: float, device: str
) -> None:
    """Take the steps of an epoch."""
    model.train()
    for image, label, distances in loader:
        optimizer.zero_grad()
        loss = loss_of(model(image.to(device)), label.to(device), distances.to(device), alpha)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def run(config: Config) -> dict[str, Any]:
    """Train and score one model; return its learning curve, its scores and where the time went."""
    torch.manual_seed(config.seed)
    model = build_model("unet2d", 1, config.n_classes, **config.model_options).to(config.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=config.lr)
    schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, mode="max", factor=0.5, patience=20)
    loader = DataLoader(SliceDataset(config), config.batch_size, shuffle=True, num_workers=2)
    curve: list[float] = []
    best: dict[str, Tensor] = {}
    began = time.perf_counter()
    for epoch in range(config.epochs):
        train_epoch(model, loader, optimizer, 0.01 + 0.01 * epoch, config.device)
        curve.append(mean_dsc(model, config, config.validation))
        schedule.step(curve[-1])
        if curve[-1] == max(curve):
            best = {name: value.clone() for name, value in model.state_dict().items()}
    trained = time.perf_counter()
    model.load_state_dict(best)
    scores = {
        "validation": score(model, config, config.validation),
        "test": score(model, config, config.test),
    }
    return {
        "curve": curve,
        "scores": scores,
        "epochs_seconds": trained - began,
        "scoring_seconds": time.perf_counter() - trained,
    }


if __name__ == "__main__":
    result = run(Config(**json.loads(Path(sys.argv[1]).read_text())))
    Path(sys.argv[2]).write_text(json.dumps(result))
