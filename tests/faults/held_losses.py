"""A loss that waits in the middle of an epoch while a test wants it to."""

import os
import time
from pathlib import Path

import torch

GATE = "LOSSBENCH_TEST_GATE"
"""Environment variable: a file; while it is there, nobody passes without a ticket."""

EPOCH = 3
"""Where it is waited for, from 0."""

STEPS = 3
"""Of one epoch of the discs in batches of 4."""


class Held(torch.nn.Module):
    """Cross-entropy."""

    family, needs, reference = "distribution", frozenset(), "none"
    name = "held"

    def __init__(self):
        super().__init__()
        self.steps = 0

    def forward(self, logits, labels):
        if self.training:
            self.steps += 1
            if self.steps == EPOCH * STEPS + 2:
                self.wait()
        return torch.nn.functional.cross_entropy(logits, labels)

    def wait(self):
        """Wait until the gate is open; it is open where there is none."""
        gate = Path(os.environ.get(GATE, ""))
        while gate.is_file() and not _has_ticket(gate):
            time.sleep(0.01)


def ticket(gate, number):
    """Return the file that lets one trial pass a gate."""
    return gate.with_name(f"{gate.name}-ticket-{number}")


def _has_ticket(gate):
    for found in gate.parent.glob(ticket(gate, "*").name):
        try:
            found.unlink()
        except FileNotFoundError:
            continue  # somebody else's now
        return True
    return False
