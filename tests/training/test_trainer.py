"""One trial: what it yields, and that losses meet on equal terms."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from harness.errors import InputError
from harness.losses import parse_loss
from harness.metrics import METRICS
from harness.training import model_file, trainer
from harness.training.job import EpochRecord, Finished, Started
from harness.training.trainer import PREDICTIONS_FILE, train
from tests.training.losses import StatefulSpec


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
        for metric in METRICS
    }
    assert finished.artifacts == {"predictions": PREDICTIONS_FILE}
    with np.load(job.folder / PREDICTIONS_FILE) as masks:
        assert len(masks.files) == 2
        for name in masks.files:
            case = next(case for case in prepared_discs.cases if case.case == name)
            assert masks[name].shape == case.shape


def test_every_epoch_tells_time_memory_and_the_dsc_of_every_class(job):
    _, *epochs, finished = train(job)
    for record in epochs:
        assert 0 < record.validation_seconds < record.seconds
        assert record.peak_bytes > 10 * 2**20
        [score] = record.scores
        assert (score.class_index, score.metric, score.undefined) == (1, "dsc", 0)
        assert score.mean == record.val_dsc
    best = [
        score.imputed
        for score in finished.scores
        if (score.part, score.checkpoint, score.metric) == ("validation", "best", "dsc")
    ]
    assert finished.best_val_dsc == np.mean(best)


def test_curves_of_every_metric_where_the_protocol_wants_them(with_protocol, job, numbers):
    wanted = list(train(replace(with_protocol(metrics_every=2), folder=job.folder.with_name("wanted"))))
    plain = list(train(job))
    metrics = [{score.metric for score in record.scores} for record in numbers(wanted).epochs]
    assert metrics == [{"dsc"}, set(METRICS), {"dsc"}, set(METRICS)]
    assert [record.val_dsc for record in wanted[-1].epochs] == [r.val_dsc for r in plain[-1].epochs]
    last = {score.metric: score for score in wanted[-1].epochs[-1].scores}
    stored = [
        score.imputed
        for score in wanted[-1].scores
        if (score.part, score.checkpoint, score.metric) == ("validation", "last", "hd95")
    ]
    assert last["hd95"].mean == np.mean(stored)
    assert wanted[-1].scores == plain[-1].scores


def test_it_learns(with_protocol, finish):
    assert finish(replace(with_protocol(epochs=25), loss=parse_loss("dice + ce"))).best_val_dsc > 0.8


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"name": "sgd", "lr": 0.2, "momentum": 0.5}, "lr_schedule": {"name": "poly"}},
        {"optimizer": {"name": "adamw", "lr": 0.01}, "lr_schedule": {"name": "cosine", "floor": 0.01}},
        {"accumulate": 3, "batch_size": 2, "clip_gradient": 1.0},
        {"precision": "bfloat16"},
        {"checkpoint": "last", "deterministic": False},
    ],
)
def test_it_learns_under_every_kind_of_protocol(change, with_protocol, finish):
    wanted = replace(with_protocol(epochs=20, **change), loss=parse_loss("dice + ce"), score_test=False)
    assert finish(wanted).best_val_dsc > 0.7


@pytest.mark.parametrize(
    "options",
    [{"deep_supervision": True}, {"norm": "batch"}, {"norm": "none", "activation": "relu"}],
)
def test_it_learns_with_every_kind_of_network(options, job, with_protocol, finish):
    wanted = replace(
        with_protocol(epochs=25, optimizer={"name": "adam", "lr": 0.003}),
        loss=parse_loss("dice + ce"),
        score_test=False,
        model_options=job.model_options | options,
    )
    assert finish(wanted).best_val_dsc > 0.7


def test_losses_start_from_the_same_weights(job, monkeypatch):
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


def test_tuning_trials_never_open_test_cases(job, prepared_discs, monkeypatch):
    from harness.data.prepared import PreparedDataset
    from harness.data.splits import partition

    test = set(partition(job.split, prepared_discs.patients, job.seed).test)
    read = []
    for array in ("images", "labels", "truth"):
        original = getattr(PreparedDataset, array)
        monkeypatch.setattr(
            PreparedDataset,
            array,
            lambda self, case, original=original: read.append(case.case) or original(self, case),
        )
    *_, finished = train(replace(job, score_test=False))
    assert read
    assert not test & set(read)
    assert {score.part for score in finished.scores} == {"validation"}


def test_divergence_is_a_result_with_its_epoch(with_protocol, finish):
    finished = finish(with_protocol(optimizer={"name": "adam", "lr": 1e30}))
    assert finished.state == "diverged"
    assert "not finite in epoch" in finished.reason
    assert finished.reason_epoch == len(finished.epochs)
    assert finished.collapsed
    assert finished.scores == ()
    assert finished.artifacts == {}


def test_a_collapse_is_told_with_the_epoch_of_the_reported_weights(with_protocol, finish):
    still = {"optimizer": {"name": "sgd", "lr": 1e-12}, "epochs": 3}
    best, last = (finish(with_protocol(checkpoint=kind, **still)) for kind in ("best_val_dsc", "last"))
    if best.collapsed:  # the initial weights find the discs by chance, or do not
        assert best.reason_epoch == best.best_epoch
        assert last.reason_epoch == 2
    nothing = finish(replace(with_protocol(epochs=2), loss=parse_loss("boundary")))
    assert (nothing.reason is None) == (not nothing.collapsed) == (nothing.reason_epoch is None)


def test_learning_rate_drops_on_a_plateau(with_protocol):
    flat = with_protocol(epochs=5, optimizer={"name": "adam", "lr": 1e-12})
    rates = [event.learning_rate for event in train(flat) if isinstance(event, EpochRecord)]
    assert rates == pytest.approx([1e-12, 1e-12, 1e-12, 0.5e-12, 0.5e-12])


def test_the_reported_weights_are_kept_on_request(job, with_protocol):
    for checkpoint in ("best_val_dsc", "last"):
        wanted = replace(with_protocol(checkpoint=checkpoint), keep_model=True)
        *_, finished = train(wanted)
        assert finished.artifacts["model"] == model_file.MODEL_FILE
        stored = model_file.load(job.folder / model_file.MODEL_FILE)
        assert stored.checkpoint == ("last" if checkpoint == "last" else "best")
        assert stored.epoch == (3 if checkpoint == "last" else finished.best_epoch)
        assert stored.description is not None
        assert stored.description["name"] == "discs"
        assert stored.classes == ("background", "disc")


def test_precision_that_the_device_lacks_is_refused(with_protocol):
    with pytest.raises(InputError, match=r"protocol\.precision tf32 needs a GPU"):
        next(train(with_protocol(precision="tf32")))


@pytest.mark.parametrize(
    "change", [{}, {"compile": True}, {"precision": "tf32"}, {"precision": "bfloat16", "compile": True}]
)
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU on this machine")
def test_trains_on_a_gpu(change, with_protocol, finish):
    finished = finish(replace(with_protocol(**change), device="cuda"))
    assert finished.state == "done"
    assert all(record.peak_bytes > 0 for record in finished.epochs)
