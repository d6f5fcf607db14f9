"""Validation counted where the network is equals the scores of whole cases."""

import numpy as np
import pytest
import torch
from torch import nn

from harness.data.description import describe
from harness.data.prepare import prepare
from harness.metrics import evaluate_case
from harness.training.scoring import SLICES_AT_ONCE, CaseEvaluator
from tests.conftest import MANIFEST, write_discs

CPU = torch.device("cpu")


class Threshold(nn.Module):
    """Calls bright pixels disc."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return torch.stack([0.5 - image[:, 0], image[:, 0] - 0.5], dim=1)


def evaluator_of(tmp_path, manifest, storage="mapped"):
    write_discs(tmp_path / "discs")
    path = tmp_path / "discs.yaml"
    path.write_text(manifest)
    dataset = prepare(describe(str(path), tmp_path), tmp_path, tmp_path / "cache")
    return CaseEvaluator(dataset, dataset.cases, CPU, None, storage)


@pytest.mark.parametrize(
    "change",
    [
        ("size: [32, 32]", "size: [32, 32]"),
        ("size: [32, 32]", "size: [20, 24]"),  # cropped: discs lose voxels
        ("size: [32, 32]", "size: [48, 40]"),  # padded
        ("size: [32, 32]", "size: [32, 32]\nresample: {inplane_mm: 1.5}"),
        ("labels: {0: 0, 1: 1}", "labels: {0: 0, 1: 1, 2: ignore}"),
    ],
)
@pytest.mark.parametrize("storage", ["mapped", "memory"])
def test_class_dsc_equals_the_scores_to_the_bit(change, storage, tmp_path):
    evaluator = evaluator_of(tmp_path, MANIFEST.replace(*change), storage)
    quick = evaluator.class_dsc(Threshold())
    full = evaluator.epoch_scores(evaluator.scores(Threshold(), "validation", "best"))
    assert quick == [score for score in full if score.metric == "dsc"]
    assert 0 < quick[0].mean < 1


def test_cases_come_whole_whatever_shares_a_pass(tmp_path):
    evaluator = evaluator_of(tmp_path, MANIFEST)
    assert evaluator.cases[0].shape[0] % SLICES_AT_ONCE
    for case, predicted in evaluator.predict(Threshold()):
        images = torch.from_numpy(np.array(evaluator.dataset.images(case)))
        alone = Threshold()(images).argmax(1).numpy()
        np.testing.assert_array_equal(predicted, evaluator.dataset.restack(case, alone.astype(np.uint8)))


def test_patients_count_alike_however_many_cases_they_have(tmp_path):
    evaluator = evaluator_of(tmp_path, MANIFEST.replace('patient: "(p[0-9]+)"', 'patient: "(p[0-9])"'))
    [score] = evaluator.class_dsc(Threshold())
    by_patient: dict[str, list[float]] = {}
    for case, predicted in evaluator.predict(Threshold()):
        found = evaluate_case(predicted, evaluator.dataset.truth(case), case.spacing, 2, ("dsc",))
        by_patient.setdefault(case.patient, []).append(found[0].imputed)
    assert score.mean == pytest.approx(np.mean([np.mean(values) for values in by_patient.values()]))
