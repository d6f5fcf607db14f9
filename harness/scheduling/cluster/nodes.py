"""How many trials the machines of a Ray cluster can run, and with which shares of cores and GPUs."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_SMALLEST_SHARE = 10_000  # Ray counts resources in steps of 1/10000


@dataclass(frozen=True)
class NodePlaces:
    """What one machine offers.

    Attributes:
        node: Its id.
        address: Of the machine, for people.
        number: Trials at a time.
        cpus: Cores that each of them reserves.
    """

    node: str
    address: str
    number: int
    cpus: float


def gpu_share(trials_per_gpu: int) -> float:
    """Return the share of a GPU that so many trials can have at the same time; 0 trials run on cores.

    >>> gpu_share(3)
    0.3333
    """
    if not trials_per_gpu:
        return 0.0
    return math.floor(_SMALLEST_SHARE / trials_per_gpu) / _SMALLEST_SHARE


def places_of(
    nodes: Iterable[Mapping[str, Any]], trials_per_gpu: int, most: int | None = None
) -> list[NodePlaces]:
    """Return what the living machines of a cluster offer.

    Args:
        nodes: As ``ray.nodes()`` tells them.
        trials_per_gpu: Trials that share a GPU; 0: trials run on cores.
        most: Trials at a time on all machines together, spread over them evenly; None: as many as there are
            places.
    """
    found = [
        NodePlaces(node["NodeID"], node["NodeManagerAddress"], number, _cpus(node, number, trials_per_gpu))
        for node in nodes
        if node["Alive"] and (number := _number(node, trials_per_gpu))
    ]
    total = sum(each.number for each in found)
    if most is None or most >= total:
        return found
    numbers = dict.fromkeys((each.node for each in found), 0)
    while most:
        for each in found:
            if most and numbers[each.node] < each.number:
                numbers[each.node] += 1
                most -= 1
    return [
        NodePlaces(each.node, each.address, numbers[each.node], each.cpus)
        for each in found
        if numbers[each.node]
    ]


def _number(node: Mapping[str, Any], trials_per_gpu: int) -> int:
    resources = node["Resources"]
    if trials_per_gpu:
        return int(resources.get("GPU", 0)) * trials_per_gpu
    return int(resources.get("CPU", 0))


def _cpus(node: Mapping[str, Any], number: int, trials_per_gpu: int) -> float:
    """Return one core each; less where more trials share the GPUs than there are cores."""
    if not trials_per_gpu:
        return 1.0
    share = float(node["Resources"].get("CPU", 0)) / number
    return min(1.0, math.floor(share * _SMALLEST_SHARE) / _SMALLEST_SHARE)
