"""Predict whole cases and score them."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from harness.data.case import IGNORE
from harness.data.prepared import PreparedCase, PreparedDataset
from harness.metrics import METRICS, evaluate_case
from harness.training.job import CaseScore, Checkpoint, Part

SLICES_AT_ONCE = 16


class CaseEvaluator:
    """Predicts and scores a fixed set of cases of one dataset.

    Args:
        dataset: Prepared dataset.
        cases: The cases.
        device: Where the network lies.
        autocast: Precision of the forward pass.
    """

    def __init__(
        self,
        dataset: PreparedDataset,
        cases: Sequence[PreparedCase],
        device: torch.device,
        autocast: torch.dtype | None,
    ) -> None:
        self.dataset = dataset
        self.cases = cases
        self.device = device
        self.autocast = autocast

    @torch.inference_mode()
    def predict(self, model: nn.Module) -> Iterator[tuple[PreparedCase, NDArray[np.uint8]]]:
        """Yield each case with its predicted classes ``(Z, H, W)`` on the source grid."""
        model.eval()
        for case in self.cases:
            images = self.dataset.images(case)
            predicted = np.empty((images.shape[0], *images.shape[2:]), np.uint8)
            for start in range(0, len(images), SLICES_AT_ONCE):
                chunk = torch.from_numpy(np.array(images[start : start + SLICES_AT_ONCE])).to(self.device)
                with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
                    logits = model(chunk.to(memory_format=torch.channels_last))
                predicted[start : start + len(chunk)] = logits.argmax(1).byte().cpu().numpy()
            yield case, self.dataset.restack(case, predicted)

    def dsc(self, model: nn.Module) -> float:
        """Return the mean DSC over patients, each the mean over its cases and foreground classes.

        A class absent from truth and prediction counts 1, as in the reported scores.
        """
        by_patient: dict[str, list[float]] = {}
        for case, predicted in self.predict(model):
            value = _mean_dsc(predicted, self.dataset.truth(case), self.dataset.n_classes)
            by_patient.setdefault(case.patient, []).append(value)
        return float(np.mean([np.mean(values) for values in by_patient.values()]))

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
            for score in evaluate_case(
                predicted, self.dataset.truth(case), case.spacing, self.dataset.n_classes, tuple(METRICS)
            ):
                found.append(
                    CaseScore(
                        case.case,
                        part,
                        checkpoint,
                        score.class_index,
                        score.metric,
                        score.value,
                        score.imputed,
                        score.reason,
                    )
                )
        if predictions is not None:
            predictions.parent.mkdir(parents=True, exist_ok=True)
            scratch = predictions.with_suffix(".partial.npz")
            np.savez_compressed(scratch, allow_pickle=False, **masks)
            scratch.replace(predictions)
        return found


def _mean_dsc(predicted: NDArray[np.uint8], truth: NDArray[np.uint8], n_classes: int) -> float:
    """Mean DSC over foreground classes, from one joint histogram."""
    known = truth != IGNORE
    joint = np.bincount(
        truth[known].astype(np.int64) * n_classes + predicted[known], minlength=n_classes * n_classes
    ).reshape(n_classes, n_classes)
    overlap, total = np.diag(joint)[1:], (joint.sum(0) + joint.sum(1))[1:]
    return float(np.where(total == 0, 1.0, 2 * overlap / np.maximum(total, 1)).mean())
