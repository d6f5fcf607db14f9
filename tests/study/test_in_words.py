"""Networks, optimisers, schedules and augmentations read like a paper; unknown ones go by their names."""

from typing import Any

import pytest

from harness.data.augment import AUGMENTATIONS
from harness.models import MODELS
from harness.study.in_words import (
    augmentation_words,
    network_words,
    optimizer_words,
    precision_words,
    schedule_words,
    variant_words,
)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"name": "unet2d", "base_channels": 8}, "a 2D U-Net (8 base channels)"),
        ({"name": "unet2d", "norm": "batch", "depth": 5}, "a 2D U-Net (batch norm, depth 5)"),
        ({"name": "unet2d", "norm": "none", "max_channels": None}, "a 2D U-Net (no norm)"),
        ({"name": "unet2d", "deep_supervision": True}, "a 2D U-Net (deep supervision)"),
        ({"name": "not_here:Net", "width": 3}, "not_here:Net (width 3)"),
    ],
)
def test_a_network_is_named_with_its_options(model: dict[str, Any], words: str) -> None:
    assert network_words(model) == words


@pytest.mark.parametrize(
    ("optimizer", "words"),
    [
        ({"name": "adam", "lr": 0.003, "betas": [0.9, 0.999], "weight_decay": 0.0}, "Adam"),
        ({"name": "adam", "betas": [0.5, 0.9]}, "Adam (betas 0.5 and 0.9)"),
        ({"name": "adamw", "lr": 0.001}, "AdamW (weight decay 0.01)"),
        (
            {"name": "sgd", "lr": 0.01, "nesterov": False, "weight_decay": 0.0},
            "stochastic gradient descent with momentum 0.99",
        ),
        ({"name": "lion", "lr": 0.1}, "lion"),
    ],
)
def test_an_optimiser_says_what_is_unusual(optimizer: dict[str, Any], words: str) -> None:
    assert optimizer_words(optimizer) == words


def test_a_schedule_says_what_becomes_of_the_learning_rate() -> None:
    assert schedule_words({"name": "poly", "power": 0.9}) == "falls as (1 - epoch/epochs)^0.9 (poly)"
    assert "by 0.1 after 7 epochs" in schedule_words({"name": "plateau", "factor": 0.1, "patience": 7})
    assert schedule_words({"name": "warmup"}) == "follows the schedule warmup"


def test_an_augmentation_is_told_with_its_numbers() -> None:
    assert augmentation_words({"name": "flip_horizontal", "probability": 0.5}) == (
        "horizontal flips (probability 0.5)"
    )
    assert augmentation_words({"name": "rotation", "degrees": 10.0, "probability": 0.2}) == (
        "rotations by up to 10 degrees (probability 0.2)"
    )
    assert augmentation_words("flip_horizontal") == "horizontal flips"
    assert augmentation_words({"name": "of_a_plugin", "size": 3}) == "of a plugin (size 3)"


def test_a_variant_says_what_it_changes() -> None:
    variant = {
        "model": {"norm": "batch"},
        "protocol": {"optimizer": {"name": "adam", "lr": 0.1}, "augment": [], "precision": "bfloat16"},
    }
    assert variant_words(variant) == (
        "batch norm, Adam with a learning rate of 0.1, augmentation: none, mixed precision (bfloat16)"
    )


def test_precisions_have_words() -> None:
    assert precision_words("float32") == "single precision (float32)"
    assert precision_words("float8") == "float8"


@pytest.mark.parametrize("name", sorted(AUGMENTATIONS))
def test_every_augmentation_has_words(name: str) -> None:
    assert AUGMENTATIONS[name].words
    assert augmentation_words({"name": name}).count("(") == 1


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_network_has_words(name: str) -> None:
    assert network_words({"name": name}).startswith("a 2D ")
