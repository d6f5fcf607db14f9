"""A loss that waits in the middle of an epoch while a test wants it to."""

import os
import time
from pathlib import Path

import torch

from harness.store.ownership import process_is_gone

GATE = "LOSSBENCH_TEST_GATE"
"""Environment variable: a file; while it is there, nobody passes without a ticket."""

EPOCH = 1
"""Where it is waited for, from 0."""

STEPS = 3
"""Of one epoch of the discs in batches of 4."""


_HELD = "-held-"


class Held(torch.nn.Module):
    """Cross-entropy."""

    family, needs, reference = "distribution", frozenset(), "none"
    name = "held"

    def __init__(self) -> None:
        super().__init__()
        self.steps = 0

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.steps += 1
            if self.steps == EPOCH * STEPS + 2:
                self.wait()
        return torch.nn.functional.cross_entropy(logits, labels)

    def wait(self) -> None:
        """Wait until the gate is open; it is open where there is none."""
        gate = Path(os.environ.get(GATE, "gate"))
        here = gate.with_name(f"{gate.name}{_HELD}{os.getpid()}")
        while gate.is_file() and not _has_ticket(gate):
            here.touch()
            time.sleep(0.01)
        here.unlink(missing_ok=True)


def held() -> int:
    """Return how many processes are held at the gate now."""
    gate = Path(os.environ[GATE])
    processes = [int(path.name.rpartition("-")[2]) for path in gate.parent.glob(f"{gate.name}{_HELD}*")]
    return sum(not process_is_gone(each) for each in processes)


def ticket(gate: Path, number: int | str) -> Path:
    """Return the file that lets one trial pass a gate."""
    return gate.with_name(f"{gate.name}-ticket-{number}")


def _has_ticket(gate: Path) -> bool:
    for found in gate.parent.glob(ticket(gate, "*").name):
        try:
            found.unlink()
        except FileNotFoundError:
            continue  # somebody else's now
        return True
    return False
