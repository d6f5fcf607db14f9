"""The places of a pool: one worker each, some of which share a GPU."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from harness.scheduling.cluster.nodes import NodePlaces
from harness.training.job import TrainingJob

Group: TypeAlias = tuple[str, str]
"""A GPU: machine and index."""


@dataclass
class Place:
    """One worker and what it is doing.

    Attributes:
        at: The machine, and the cores that the worker reserves there.
        actor: None while it makes room for a neighbour.
        ready: Reference that resolves when it has started; None after that.
        gpu: Index of its GPU.
        born: When it started.
        trials: How many it has been given.
        job: What it has now.
        events: Of that job; None while its dataset is on the way.
        prepared: The dataset that it had last.
        alone: Whether its neighbours on the GPU make room for it.
        failed_starts: In a row.
        not_before: When it may be started again.
    """

    at: NodePlaces
    actor: Any = None
    ready: Any = None
    gpu: str = ""
    born: float = 0.0
    trials: int = 0
    job: TrainingJob | None = None
    events: Any = None
    prepared: Path | None = None
    alone: bool = False
    failed_starts: int = 0
    not_before: float = 0.0

    @property
    def idle(self) -> bool:
        """Whether a job can be given to its worker."""
        return self.actor is not None and self.ready is None and self.job is None

    @property
    def group(self) -> Group:
        """The GPU that it shares."""
        return self.at.node, self.gpu


def taken_for_one(places: Iterable[Place]) -> set[Group]:
    """Return the GPUs that a trial has for itself."""
    return {place.group for place in places if place.alone}


def quietest(places: Iterable[Place]) -> Group:
    """Return the GPU on which the fewest trials run, of those that no trial has for itself."""
    known = list(places)
    busy: dict[Group, int] = defaultdict(int)
    taken = taken_for_one(known)
    for place in known:
        if place.group not in taken:
            busy[place.group] += place.job is not None
    return min(busy, key=lambda group: (busy[group], group), default=("", ""))
