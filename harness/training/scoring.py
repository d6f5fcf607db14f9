"""Predict whole cases and score them."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from harness.data.case import IGNORE
from harness.data.normalise import fitted_window
from harness.data.prepared import PreparedCase, PreparedDataset
from harness.data.storage import Stack, Storage, open_store
from harness.metrics import METRICS, evaluate_case
from harness.training.job import CaseScore, Checkpoint, EpochScore, Part

SLICES_AT_ONCE = 16


class CaseEvaluator:
    """Predicts and scores a fixed set of cases of one dataset.

    Args:
        dataset: Prepared dataset.
        cases: The cases, at least one.
        device: Where the network lies.
        autocast: Precision of the forward pass.
        storage: Where the slices lie; those that are seen every epoch may stay on a GPU.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        cases: Sequence[PreparedCase],
        device: torch.device,
        autocast: torch.dtype | None,
        storage: Storage = "mapped",
    ) -> None:
        self.dataset = dataset
        self.cases = cases
        self.device = device
        self.autocast = autocast
        labels = [dataset.labels(case) for case in cases]
        self._slices = sum(len(label) for label in labels)
        self._size: tuple[int, int] = labels[0].shape[1:]
        store = open_store(
            {"images": Stack([dataset.images(case) for case in cases]), "labels": Stack(labels)},
            self._size,
            device,
            storage if device.type == "cuda" else "mapped",  # on a CPU the page cache is as good
        )
        self._read = store.reader(np.arange(self._slices), np.zeros((self._slices, 2), np.int64))

    def predict(self, model: nn.Module) -> Iterator[tuple[PreparedCase, NDArray[np.uint8]]]:
        """Yield each case with its predicted classes ``(Z, H, W)`` on the source grid."""
        for case, predicted, _ in self._segment(model):
            yield case, self.dataset.restack(case, predicted.cpu().numpy())

    def class_dsc(self, model: nn.Module) -> list[EpochScore]:
        """Return the DSC of every class, from voxels counted where the network is.

        A class absent from truth and prediction counts 1: the means equal those of :meth:`scores` to the bit.
        """
        found = [self._counts(*segmented) for segmented in self._segment(model)]
        overlap, sizes = torch.stack(found).cpu().double().numpy().swapaxes(0, 1)
        sizes += [case.voxels[1:] for case in self.cases]
        dsc = np.where(sizes == 0, 1.0, 2 * overlap / np.maximum(sizes, 1))
        means = _patient_means([case.patient for case in self.cases], dsc).mean(0)
        undefined = (sizes == 0).sum(0)
        return [
            EpochScore(index, "dsc", float(mean), int(count))
            for index, (mean, count) in enumerate(zip(means, undefined, strict=True), start=1)
        ]

    def scores(
        self, model: nn.Module, part: Part, checkpoint: Checkpoint, predictions: Path | None = None
    ) -> list[CaseScore]:
        """Return every registered metric of every case and class.

        Args:
            model: Network with the weights of the checkpoint.
            part: Which side of the split the cases are on.
            checkpoint: Which checkpoint the weights are.
            predictions: Where to keep the predicted masks, so that a new metric never retrains.
        """
        found: list[CaseScore] = []
        masks: dict[str, NDArray[np.uint8]] = {}
        for case, predicted in self.predict(model):
            masks[case.case] = predicted
            scores = evaluate_case(
                predicted, self.dataset.truth(case), case.spacing, self.dataset.n_classes, tuple(METRICS)
            )
            found += [CaseScore(case.case, part, checkpoint, **asdict(score)) for score in scores]
        if predictions is not None:
            _write_masks(predictions, masks)
        return found

    def epoch_scores(self, scores: Iterable[CaseScore]) -> list[EpochScore]:
        """Return the mean of every metric and class over the patients, for a curve."""
        patients = {case.case: case.patient for case in self.cases}
        rows: dict[tuple[str, int], list[CaseScore]] = {}
        for score in scores:
            rows.setdefault((score.metric, score.class_index), []).append(score)
        return [
            EpochScore(
                class_index,
                metric,
                float(
                    _patient_means(
                        [patients[score.case] for score in found],
                        np.array([score.imputed for score in found]),
                    ).mean()
                ),
                sum(score.value is None for score in found),
            )
            for (metric, class_index), found in rows.items()
        ]

    @torch.no_grad()
    def _segment(self, model: nn.Module) -> Iterator[tuple[PreparedCase, Tensor, slice]]:
        """Yield each case, its predicted classes ``(Z, h, w)`` as the network sees it, and its slices.

        A pass takes slices of several cases, so that small cases cost no more than large ones.
        """
        model.eval()
        ahead = torch.empty((0, *self._size), dtype=torch.uint8, device=self.device)
        start = passed = 0
        for case in self.cases:
            depth = case.shape[0]
            chunks = [ahead]
            while passed < start + depth:
                positions = slice(passed, min(passed + SLICES_AT_ONCE, self._slices))
                chunks.append(self._classes(model, self._read("images", positions)))
                passed = positions.stop
            predicted = torch.cat(chunks)
            yield case, predicted[:depth], slice(start, start + depth)
            ahead, start = predicted[depth:], start + depth

    def _classes(self, model: nn.Module, images: Tensor) -> Tensor:
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            logits = model(images.contiguous(memory_format=torch.channels_last))
        classes: Tensor = logits.argmax(1).byte()
        return classes

    def _counts(self, case: PreparedCase, predicted: Tensor, positions: slice) -> Tensor:
        """Return voxels ``(2, n_classes - 1)`` of each class: shared with the truth, and predicted."""
        if case.grid == case.shape[1:]:
            rows, columns = fitted_window(case.grid, self._size)  # not the padding
            truth = self._read("labels", positions)[:, rows, columns]
            predicted = predicted[:, rows, columns]
        else:  # resampled: the truth is on another grid
            truth = torch.from_numpy(np.array(self.dataset.truth(case))).to(self.device)
            restacked = self.dataset.restack(case, predicted.cpu().numpy())
            predicted = torch.from_numpy(restacked).to(self.device)
        known = truth != IGNORE
        masks = [(predicted == index) & known for index in range(1, self.dataset.n_classes)]
        shared = [(mask & (truth == index)).sum() for index, mask in enumerate(masks, start=1)]
        return torch.stack([torch.stack(shared), torch.stack([mask.sum() for mask in masks])])


def _write_masks(path: Path, masks: Mapping[str, NDArray[np.uint8]]) -> None:
    """Write masks as an .npz file, whole or not at all.

    Not with ``np.savez``, whose own parameters are no names for cases.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".partial.npz")
    try:
        with scratch.open("wb") as file:
            with ZipFile(file, "w", ZIP_DEFLATED) as archive:
                for name, mask in masks.items():
                    with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                        np.lib.format.write_array(stream, mask, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        scratch.replace(path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise


def _patient_means(patients: Sequence[str], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the cases of each patient, patients in order of their first case."""
    rows: dict[str, list[int]] = {}
    for row, patient in enumerate(patients):
        rows.setdefault(patient, []).append(row)
    return np.stack([values[each].mean(0) for each in rows.values()])
