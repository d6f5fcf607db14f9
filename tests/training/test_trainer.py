"""One trial: repeatable, resumable, and honest about what went wrong."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.data.splits import HoldoutSplit
from harness.losses import CombinedLoss, parse_loss
from harness.training import checkpoint, trainer
from harness.training.job import CaseScore, EpochRecord, Finished, Started, TrainingJob
from harness.training.protocol import Protocol
from harness.training.trainer import PREDICTIONS_FILE, collapse, train


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


def numbers(events):
    """Everything that a trial stores but the clock."""
    finished = events[-1]
    curve = [replace(record, seconds=0.0) for record in finished.epochs]
    return curve, finished.scores, finished.best_epoch, finished.best_val_dsc


def test_a_trial_yields_its_epochs_and_scores_both_checkpoints(job, prepared_discs):
    started, *epochs, finished = train(job)
    assert isinstance(started, Started)
    assert [record.epoch for record in epochs] == [0, 1, 2, 3]
    assert isinstance(finished, Finished)
    assert finished.state == "done"
    assert [record.region_weight for record in epochs] == pytest.approx([1.0, 0.67, 0.34, 0.01])
    assert all(r.region_weight + r.boundary_weight == pytest.approx(1) for r in epochs)
    found = {(score.part, score.checkpoint, score.metric) for score in finished.scores}
    assert found == {
        (part, checkpoint, metric)
        for part in ("validation", "test")
        for checkpoint in ("best", "last")
        for metric in ("dsc", "hd", "hd95")
    }
    with np.load(job.folder / PREDICTIONS_FILE) as masks:
        assert len(masks.files) == 2
        for name in masks.files:
            case = next(case for case in prepared_discs.cases if case.case == name)
            assert masks[name].shape == case.shape
    assert not (job.folder / "checkpoint.pt").exists()


def test_it_learns(job):
    *_, finished = train(
        replace(job, loss=parse_loss("dice + ce"), protocol=job.protocol.model_copy(update={"epochs": 25}))
    )
    assert finished.best_val_dsc > 0.8


def test_same_job_same_bits(job, tmp_path):
    first = list(train(job))
    torch.rand(7)  # a generator in another state must not matter
    second = list(train(replace(job, folder=tmp_path / "again")))
    assert numbers(first) == numbers(second)


def test_interrupted_trial_resumes_bit_for_bit(job, tmp_path):
    whole = list(train(job))
    interrupted = replace(job, folder=tmp_path / "interrupted")
    events = train(interrupted)
    for _ in range(3):  # started, two epochs
        next(events)
    events.close()
    resumed = list(train(interrupted))
    assert resumed[0].resumed_at == 2
    assert numbers(resumed) == numbers(whole)


def test_losses_start_from_the_same_weights(job, prepared_discs, monkeypatch):
    weights = []
    build = trainer.build_model

    def spy(*args, **kwargs):
        model = build(*args, **kwargs)
        weights.append({name: value.clone() for name, value in model.state_dict().items()})
        return model

    monkeypatch.setattr(trainer, "build_model", spy)
    for loss in (parse_loss("ce"), parse_loss("dice"), StatefulSpec()):
        next(train(replace(job, loss=loss)))
    next(train(replace(job, seed=1)))
    for other in weights[1:3]:
        assert all(torch.equal(weights[0][name], other[name]) for name in other)
    assert any(not torch.equal(weights[0][name], weights[3][name]) for name in weights[0])


class RunningMean(torch.nn.Module):
    """A foreign loss with a state: it weighs each step by a running mean, and draws numbers when built."""

    name, family, reference = "running_mean", "distribution", "none"
    needs = frozenset({"spacing", "components"})

    def __init__(self):
        super().__init__()
        self.ignore_label = None
        self.register_buffer("mean", torch.rand(()) + 1)

    def forward(self, logits, labels, *, spacing, components):
        assert spacing.shape == (len(labels), 3)
        assert components.shape == labels.shape
        value = torch.nn.functional.cross_entropy(logits, labels)
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * value.detach())
        return value * self.mean


class StatefulSpec:
    """Stands for a parsed loss."""

    def build(self, ignore_label=None):
        return CombinedLoss([RunningMean()])


def test_the_state_of_a_loss_survives_an_interruption(job, tmp_path):
    stateful = replace(job, loss=StatefulSpec())
    whole = list(train(stateful))
    interrupted = replace(stateful, folder=tmp_path / "interrupted")
    events = train(interrupted)
    for _ in range(3):
        next(events)
    events.close()
    saved = checkpoint.load(interrupted.folder)
    assert saved is not None
    assert saved[1]["loss"]["losses.0.mean"] != RunningMean().mean
    assert numbers(list(train(interrupted))) == numbers(whole)


def test_a_checkpoint_without_the_loss_is_taken_up(job):
    events = train(job)
    for _ in range(2):
        next(events)
    events.close()
    progress, states = checkpoint.load(job.folder)
    del states["loss"]
    checkpoint.save(job.folder, progress, states)
    started, *_, finished = train(job)
    assert started.resumed_at == 1
    assert finished.state == "done"


def test_tuning_trials_never_open_test_cases(job, prepared_discs, monkeypatch):
    from harness.data.prepared import PreparedDataset
    from harness.data.splits import partition

    test = set(partition(job.split, prepared_discs.patients, job.seed).test)
    read = []
    images = PreparedDataset.images
    monkeypatch.setattr(
        PreparedDataset, "images", lambda self, case: read.append(case.patient) or images(self, case)
    )
    *_, finished = train(replace(job, score_test=False))
    assert read
    assert not test & set(read)
    assert {score.part for score in finished.scores} == {"validation"}


def test_divergence_is_a_result_with_its_epoch(job):
    protocol = job.protocol.model_copy(
        update={"optimizer": job.protocol.optimizer.model_copy(update={"lr": 1e30})}
    )
    *_, finished = train(replace(job, protocol=protocol))
    assert finished.state == "diverged"
    assert "not finite in epoch" in finished.reason
    assert finished.collapsed
    assert finished.scores == ()


def validation_scores(*reasons: str | None) -> list[CaseScore]:
    return [
        CaseScore(f"c{n}", "validation", "best", 1, "dsc", 0.5, 0.5, reason)
        for n, reason in enumerate(reasons)
    ]


def test_collapse_is_judged_on_validation_only():
    assert collapse(0.04, validation_scores(None)) == "validation DSC 0.040 is below 0.05"
    assert collapse(0.5, validation_scores(None, "prediction empty")) is None
    assert collapse(0.5, validation_scores("prediction empty", "both empty")) == (
        "1 of 1 validation cases with foreground were predicted empty"
    )
    on_test = [replace(score, part="test") for score in validation_scores("prediction empty")]
    assert collapse(0.5, [*validation_scores(None), *on_test]) is None


def test_learning_rate_drops_on_a_plateau(job):
    flat = job.protocol.model_copy(
        update={"epochs": 5, "optimizer": job.protocol.optimizer.model_copy(update={"lr": 1e-12})}
    )
    rates = [
        event.learning_rate for event in train(replace(job, protocol=flat)) if isinstance(event, EpochRecord)
    ]
    assert rates == pytest.approx([1e-12, 1e-12, 1e-12, 0.5e-12, 0.5e-12])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_trains_on_a_gpu(job):
    *_, finished = train(replace(job, device="cuda"))
    assert finished.state == "done"
