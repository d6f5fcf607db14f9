"""Take a machine away from a Ray cluster while it trains, and add another one."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import pytest

from tests.faults.drivers import (
    TRIALS,
    Study,
    assert_whole,
    attempts,
    driver,
    held_study,
    logs,
)

_NODE = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 100 * 1024**2}
_cluster: list[Any] = []
_nodes: list[Any] = []


@pytest.fixture
def study(tmp_path, discs_data, monkeypatch) -> Study:
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # A machine that vanishes is missed after seconds instead of half a minute.
    monkeypatch.setenv("RAY_health_check_initial_delay_ms", "1000")
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "3")
    return held_study(tmp_path, discs_data, monkeypatch)


def start_cluster(nodes: int) -> str:
    """Start a cluster whose head trains nothing, with so many nodes beside it; return its address."""
    from ray.cluster_utils import Cluster

    _cluster.append(Cluster(initialize_head=True, head_node_args={**_NODE, "num_cpus": 0}))
    for _ in range(nodes):
        add_node()
    return str(_cluster[0].address)


def add_node() -> None:
    _nodes.append(_cluster[0].add_node(**_NODE))


def remove_node() -> None:
    """Kill the oldest node without a warning."""
    _cluster[0].remove_node(_nodes.pop(0), allow_graceful=False)


def stop_cluster() -> None:
    if _cluster:
        _cluster.pop().shutdown()


@pytest.fixture
def elsewhere(study) -> Iterator[Any]:
    """Calls a function in a process of its own, which has the cluster: Ray's settings stick to a process."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        yield lambda function, *arguments: pool.submit(function, *arguments).result(timeout=100)
        pool.submit(stop_cluster).result(timeout=100)


@pytest.mark.full
def test_a_node_is_lost_while_it_trains_and_another_one_takes_over(study, tmp_path, elsewhere):
    address = elsewhere(start_cluster, 1)
    study.hold()
    with driver(study.command("--address", address), tmp_path) as running:
        running.wait_until_held()
        elsewhere(remove_node)
        running.wait_until_said("has left")
        elsewhere(add_node)
        running.wait_until_held()
        study.let_go()
        code, out = running.end()
    assert code == 0, running.said
    assert f"{TRIALS} trials trained" in out
    assert attempts(tmp_path) == [1] * (TRIALS - 1) + [2]
    assert sum(" node: " in log for log in logs(tmp_path)) == 1
    assert_whole(tmp_path, study.expected)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_nodes_come_and_go_until_all_is_trained(study, tmp_path, elsewhere):
    address = elsewhere(start_cluster, 2)
    study.hold()
    with driver(study.command("--address", address), tmp_path) as running:
        for lost in range(1, 4):
            running.wait_until_held(2)
            elsewhere(remove_node)
            running.wait_until(lambda number=lost: running.said.count("has left") == number, "noticed")
            elsewhere(add_node)
            running.wait_until(lambda number=lost: running.said.count("has joined") == number, "joined")
        study.let_go()
        code, _ = running.end()
    assert code == 0, running.said
    assert sum(attempts(tmp_path)) == TRIALS + 3
    assert_whole(tmp_path, study.expected)
