"""The optimiser and the learning-rate schedule that a protocol declares, as torch has them."""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from torch import nn
from torch.optim import SGD, Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    LambdaLR,
    LRScheduler,
    ReduceLROnPlateau,
)

from harness.training import protocol as declared

_OptimizerKind: TypeAlias = Callable[..., Optimizer]
_ScheduleKind: TypeAlias = Callable[[Any, Optimizer, int], LRScheduler]

_OPTIMIZERS: Mapping[type, _OptimizerKind] = MappingProxyType(
    {declared.Adam: Adam, declared.AdamW: AdamW, declared.Sgd: SGD}
)


def build_optimizer(parameters: Iterable[nn.Parameter], wanted: declared.Optimizer) -> Optimizer:
    """Return the optimiser; its fused kernel makes one pass over the weights instead of a dozen."""
    settings = wanted.model_dump(exclude={"name"})
    return _OPTIMIZERS[type(wanted)](parameters, **settings, fused=True)


def _plateau(wanted: declared.PlateauSchedule, optimizer: Optimizer, epochs: int) -> LRScheduler:
    return ReduceLROnPlateau(optimizer, mode="max", factor=wanted.factor, patience=wanted.patience)


def _poly(wanted: declared.PolySchedule, optimizer: Optimizer, epochs: int) -> LRScheduler:
    return LambdaLR(optimizer, lambda epoch: max(0.0, 1 - epoch / epochs) ** wanted.power)


def _cosine(wanted: declared.CosineSchedule, optimizer: Optimizer, epochs: int) -> LRScheduler:
    lowest = float(optimizer.param_groups[0]["lr"]) * wanted.floor
    return CosineAnnealingLR(optimizer, T_max=epochs, eta_min=lowest)


def _constant(wanted: declared.ConstantSchedule, optimizer: Optimizer, epochs: int) -> LRScheduler:
    return ConstantLR(optimizer, factor=1.0)


_SCHEDULES: Mapping[type, _ScheduleKind] = MappingProxyType(
    {
        declared.PlateauSchedule: _plateau,
        declared.PolySchedule: _poly,
        declared.CosineSchedule: _cosine,
        declared.ConstantSchedule: _constant,
    }
)


def build_lr_schedule(
    optimizer: Optimizer, wanted: declared.LearningRateSchedule, epochs: int
) -> LRScheduler:
    """Return the learning-rate schedule of a training of ``epochs``; it steps once an epoch."""
    return _SCHEDULES[type(wanted)](wanted, optimizer, epochs)


def step_lr_schedule(schedule: LRScheduler, val_dsc: float) -> None:
    """End an epoch; a plateau is one of the validation DSC."""
    if isinstance(schedule, ReduceLROnPlateau):
        schedule.step(val_dsc)
    else:
        schedule.step()
