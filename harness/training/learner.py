"""A network with its loss and optimiser: batches in, better weights out."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn
from torch.profiler import record_function

from harness.data.batches import Batch
from harness.losses import CombinedLoss
from harness.models import deep_supervision_weights
from harness.training.optimization import build_lr_schedule, build_optimizer, step_lr_schedule
from harness.training.protocol import Protocol


class Diverged(Exception):
    """The loss or a weight stopped being finite; the message says which, and when."""


class Learner:
    """Owns what moves during a training.

    Args:
        model: Network on its device, channels_last.
        loss: On the same device.
        protocol: Optimiser, schedule, accumulation, precision.
        device: Of both.
    """

    def __init__(
        self, model: nn.Module, loss: CombinedLoss, protocol: Protocol, device: torch.device
    ) -> None:
        self.model = model
        self.loss = loss
        self.network = _compiled(model, device) if protocol.compile else model
        self.optimizer = build_optimizer(model.parameters(), protocol.optimizer)
        self.lr_schedule = build_lr_schedule(self.optimizer, protocol.lr_schedule, protocol.epochs)
        self.autocast = torch.bfloat16 if protocol.precision == "bfloat16" else None
        self._protocol = protocol
        self._device = device

    @property
    def learning_rate(self) -> float:
        """In force."""
        return float(self.optimizer.param_groups[0]["lr"])

    def train_epoch(self, epoch: int, batches: Iterable[Batch]) -> float:
        """Take the steps of one epoch and return the mean loss over them.

        Raises:
            Diverged: if a loss or weight is not finite.
        """
        self.loss.set_epoch(epoch, self._protocol.epochs)
        self.network.train()
        # Read once an epoch: reading a number of every step would make the host wait for the GPU.
        values = torch.stack([self._step(group) for group in self._groups(iter(batches))])
        finite = torch.isfinite(values)
        if not bool(finite.all()):
            step = int((~finite).int().argmax())
            raise Diverged(f"the loss was not finite in epoch {epoch}, first in step {step} of {len(values)}")
        for name, weight in self.model.named_parameters():
            if not bool(torch.isfinite(weight).all()):
                raise Diverged(f"weight {name} was not finite after epoch {epoch}")
        return float(values.mean())

    def end_epoch(self, val_dsc: float) -> None:
        """Move the learning rate."""
        step_lr_schedule(self.lr_schedule, val_dsc)

    def state_dict(self) -> dict[str, Any]:
        """Return all that moves, for a checkpoint."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "lr_schedule": self.lr_schedule.state_dict(),
            "loss": self.loss.state_dict(),
        }

    def load_state_dict(self, states: dict[str, Any]) -> None:
        """Go back to what :meth:`state_dict` returned."""
        self.model.load_state_dict(states["model"])
        self.optimizer.load_state_dict(states["optimizer"])
        self.lr_schedule.load_state_dict(states["lr_schedule"])
        self.loss.load_state_dict(states["loss"])

    def _groups(self, batches: Iterator[Batch]) -> Iterator[list[Batch]]:
        """Yield the batches of each step of the optimiser; the last group may be smaller."""
        while True:
            with record_function("lossbench.data"):
                group = list(islice(batches, self._protocol.accumulate))
            if not group:
                return
            yield group

    def _step(self, group: Sequence[Batch]) -> Tensor:
        """Take one step of the optimiser and return its loss, a mean over all slices of the group."""
        slices = sum(len(batch.images) for batch in group)
        self.optimizer.zero_grad(set_to_none=True)
        total = torch.zeros((), device=self._device)
        for batch in group:
            value = self._value(batch) * (len(batch.images) / slices)
            with record_function("lossbench.backward"):
                value.backward()  # type: ignore[no-untyped-call]
            total = total + value.detach()
        with record_function("lossbench.step"):
            if self._protocol.clip_gradient is not None:
                nn.utils.clip_grad_norm_(self.model.parameters(), self._protocol.clip_gradient)
            self.optimizer.step()
        return total

    def _value(self, batch: Batch) -> Tensor:
        with record_function("lossbench.forward"):
            logits = self._logits(batch.images)
        with record_function("lossbench.loss"):
            values = [self.loss(each, batch.labels, **batch.needs) for each in logits]
            weights = deep_supervision_weights(len(values))
            return torch.stack(values).mul(values[0].new_tensor(weights)).sum() if values[1:] else values[0]

    def _logits(self, images: Tensor) -> Sequence[Tensor]:
        """Return the logits of every head, finest first; one without deep supervision."""
        if self._protocol.compile and self._device.type == "cuda":
            # The outputs of the graph may be overwritten now.
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        with torch.autocast(self._device.type, self.autocast, enabled=self.autocast is not None):
            logits = self.network(images.contiguous(memory_format=torch.channels_last))
        return logits if isinstance(logits, tuple | list) else (logits,)


def _compiled(model: nn.Module, device: torch.device) -> nn.Module:
    """Return the network compiled for fixed shapes, on a GPU as CUDA graphs."""
    mode = "reduce-overhead" if device.type == "cuda" else "default"
    compiled: nn.Module = torch.compile(model, mode=mode, dynamic=False)  # type: ignore[assignment]
    return compiled
