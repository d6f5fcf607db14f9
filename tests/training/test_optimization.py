"""Learning rates over a training, against their formulas."""

import math

import pytest
import torch

from harness.training.optimization import build_lr_schedule, build_optimizer, step_lr_schedule
from harness.training.protocol import Protocol

EPOCHS = 10


def rates(schedule: dict[str, object], val_dsc: list[float] | None = None) -> list[float]:
    """The learning rate of every epoch, from 0.2."""
    protocol = Protocol.model_validate({"optimizer": {"lr": 0.2}, "lr_schedule": schedule})
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = build_optimizer([weight], protocol.optimizer)
    found = build_lr_schedule(optimizer, protocol.lr_schedule, EPOCHS)
    seen = []
    for epoch in range(EPOCHS):
        seen.append(optimizer.param_groups[0]["lr"])
        weight.grad = torch.ones(1)
        optimizer.step()
        step_lr_schedule(found, val_dsc[epoch] if val_dsc else 0.5)
    return seen


def test_constant_stays() -> None:
    assert rates({"name": "constant"}) == [0.2] * EPOCHS


@pytest.mark.parametrize("power", [0.9, 2.0])
def test_poly_is_a_power_of_what_is_left(power: float) -> None:
    expected = [0.2 * (1 - epoch / EPOCHS) ** power for epoch in range(EPOCHS)]
    assert rates({"name": "poly", "power": power}) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("floor", [0.0, 0.1])
def test_cosine_goes_down_half_a_wave(floor: float) -> None:
    expected = [
        0.2 * (floor + (1 - floor) * (1 + math.cos(math.pi * epoch / EPOCHS)) / 2) for epoch in range(EPOCHS)
    ]
    assert rates({"name": "cosine", "floor": floor}) == pytest.approx(expected, rel=1e-9)


def test_plateau_waits_for_a_gain() -> None:
    gains = [0.1, 0.2, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3]
    found = rates({"name": "plateau", "factor": 0.5, "patience": 2}, gains)
    assert found == pytest.approx([0.2] * 5 + [0.1] * 4 + [0.05])
