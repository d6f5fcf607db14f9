"""A trial with every augmentation: resumable, and keyed by what it does, not by how it was written."""

from dataclasses import replace

import pytest

from harness.data.augment import AUGMENTATIONS
from harness.data.splits import HoldoutSplit
from harness.errors import InputError
from harness.losses import parse_loss
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from harness.study.trial import Trial
from harness.training.job import TrainingJob
from harness.training.protocol import Protocol
from harness.training.trainer import train

pytest.importorskip("torch")

EVERYTHING = [{"name": name, "probability": 0.5} for name in AUGMENTATIONS]
STUDY = """\
study: augmented
datasets: [d]
losses: [{{loss: ce}}]
protocol: {{augment: {augment}}}
"""


@pytest.fixture
def job(with_protocol) -> TrainingJob:
    changed = with_protocol(epochs=3, augment=EVERYTHING, oversample_foreground=0.8)
    return replace(changed, loss=parse_loss("gdl + boundary"), score_test=False)


def test_interrupted_training_with_all_augmentations_resumes_bit_for_bit(job, numbers, tmp_path):
    whole = list(train(job))
    interrupted = replace(job, folder=tmp_path / "interrupted")
    events = train(interrupted)
    for _ in range(2):  # started, one epoch
        next(events)
    events.close()
    resumed = list(train(interrupted))
    assert resumed[0].resumed_at == 1
    assert numbers(resumed) == numbers(whole)


def test_mapped_slices_train_to_the_same_bits(job, numbers, tmp_path):
    memory, mapped = (
        list(train(replace(job, storage=storage, folder=tmp_path / storage)))
        for storage in ("memory", "mapped")
    )
    assert numbers(memory) == numbers(mapped)


def test_a_loss_on_volumes_refuses_warps_before_training(job):
    volumes = replace(job, loss=parse_loss({"name": "boundary", "dimensions": 3}))
    with pytest.raises(InputError, match="cannot be computed from one warped slice"):
        next(train(volumes))


def parsed(augment):
    return validate(Study, read(STUDY.format(augment=augment), "s.yaml"), "s.yaml").protocol


def key(protocol):
    return Trial.model_validate(
        {
            "fingerprint": "f",
            "split": HoldoutSplit(),
            "fold": 0,
            "loss": parse_loss("ce").canonical(),
            "model": {"name": "unet2d"},
            "protocol": protocol,
            "seed": 0,
        }
    ).key


def test_a_name_and_its_mapping_are_one_trial():
    written = parsed("[{name: rotation, probability: 0.3, degrees: 15}, flip_horizontal]")
    assert key(parsed("[flip_horizontal, rotation]")) == key(written)
    assert key(parsed("[flip_horizontal, {name: rotation, degrees: 20}]")) != key(written)
    assert key(parsed("[flip_horizontal]")) == key(Protocol())
    assert key(parsed("[]")) != key(Protocol())
    assert key(Protocol(oversample_foreground=0.33)) != key(Protocol())


def test_by_default_slices_are_mirrored_left_to_right_only():
    assert Protocol().model_dump(mode="json")["augment"] == [{"name": "flip_horizontal", "probability": 0.5}]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (
            "[flip_horizontl]",
            "protocol.augment.0: unknown augmentation 'flip_horizontl'; did you mean 'flip_horizontal'?",
        ),
        ("[{name: rotaton}]", "protocol.augment.0: unknown augmentation 'rotaton'; did you mean 'rotation'?"),
        ("[{name: rotation, degree: 3}]", "protocol.augment.0.degree: unknown key; did you mean 'degrees'?"),
        ("[{degrees: 3}]", "required key 'name' is missing"),
        ("[shift, {name: shift, pixels: 3}]", "augmentation 'shift' stands twice; keep one of them"),
        ("[{name: shift, pixels: 0}]", "protocol.augment.0.pixels: input should be greater than 0"),
        ("[{name: rotation, probability: 2}]", "protocol.augment.0.probability: input should be less than"),
        (
            "[{name: elastic, amplitude: 9}]",
            "'amplitude' (9 mm) must be at most a quarter of 'knots' (32 mm)",
        ),
        ("[{name: scale, smallest: 2}]", "'smallest' (2) must not exceed 'largest' (1.2)"),
        ("[3]", "protocol.augment.0: input should be"),
    ],
)
def test_a_wrong_augmentation_is_told_at_its_line(augment, message):
    with pytest.raises(InputError) as error:
        parsed(augment)
    assert str(error.value).startswith("s.yaml:4:")
    assert message in str(error.value)
