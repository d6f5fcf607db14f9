"""How many trials machines can run."""

from typing import Any

import pytest

from harness.scheduling.cluster.nodes import gpu_share, places_of


def node(name: str, cpus: float, gpus: float = 0, alive: bool = True) -> dict[str, Any]:
    resources = {"CPU": cpus, **({"GPU": gpus} if gpus else {})}
    return {"NodeID": name, "NodeManagerAddress": f"10.0.0.{name}", "Alive": alive, "Resources": resources}


def numbers(*nodes: dict[str, Any], **options: Any) -> dict[str, int]:
    return {each.node: each.number for each in places_of(nodes, **options)}


def test_a_core_runs_one_trial_and_the_dead_run_none() -> None:
    cluster = (node("1", 4), node("2", 8, alive=False), node("3", 0), node("4", 2, gpus=1))
    assert numbers(*cluster, trials_per_gpu=0) == {"1": 4, "4": 2}


def test_gpus_are_shared_by_as_many_trials_as_asked() -> None:
    assert numbers(node("1", 64, gpus=8), node("2", 16), trials_per_gpu=3) == {"1": 24}


def test_a_limit_is_spread_over_the_machines() -> None:
    cluster = (node("1", 8), node("2", 2), node("3", 8))
    assert numbers(*cluster, trials_per_gpu=0, most=7) == {"1": 3, "2": 2, "3": 2}
    assert numbers(*cluster, trials_per_gpu=0, most=1) == {"1": 1}
    assert numbers(*cluster, trials_per_gpu=0, most=99) == {"1": 8, "2": 2, "3": 8}


def test_trials_that_share_gpus_share_the_cores_too() -> None:
    [few] = places_of([node("1", 4, gpus=1)], trials_per_gpu=10)
    [many] = places_of([node("1", 64, gpus=1)], trials_per_gpu=10)
    assert few.cpus * few.number <= 4
    assert many.cpus == 1.0


@pytest.mark.parametrize("trials", range(1, 33))
def test_shares_of_a_gpu_never_add_up_to_more_than_one(trials: int) -> None:
    assert gpu_share(trials) * trials <= 1.0
    assert gpu_share(trials) * (trials + 1) > 1.0  # and no further trial would fit
