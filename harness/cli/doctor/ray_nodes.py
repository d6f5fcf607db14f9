"""A running Ray cluster: is it reached, and are its machines alike."""

import logging
import os
import platform
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import __version__
from harness.cli.doctor.base import Finding

ANSWER_SECONDS = 10.0
"""How long nodes may take to run a task."""

_NODE_HERE = "start Ray on this machine first: ray start --address=HOST:PORT"
_REFUSALS = {
    "Version mismatch": "install the same Ray and Python on all machines",
    # The port answers, so either another program listens there, or it is Ray and refuses us.
    "Failed to connect": "give this machine the head's token: its file ~/.ray/auth_token, or RAY_AUTH_TOKEN",
}
"""What to do, by a piece of what Ray says."""


@dataclass(frozen=True)
class Node:
    """One machine of a cluster.

    Attributes:
        address: Where the others reach it.
        cores: Of Ray's count.
        gpus: Of Ray's count.
        python: Version; None: the node gave no answer.
        lossbench: Version; None: not installed there.
        home: Whether it sees the driver's home folder.
    """

    address: str
    cores: float
    gpus: float
    python: str | None = None
    lossbench: str | None = None
    home: bool = False


def look_at_cluster(address: str, home: Path) -> Iterator[Finding]:
    """Join a cluster and ask every node.

    Args:
        address: ``auto`` or host:port.
        home: The home folder.
    """
    trouble = judge_address(address)
    if trouble is not None:
        yield trouble
        return
    import ray

    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        mend = next((mend for sign, mend in _REFUSALS.items() if sign in str(error)), _NODE_HERE)
        yield Finding(f"cannot join the cluster at {address!r}: {said[0]}", "broken", mend)
        return
    try:
        with _token_in(home) as token:
            yield from judge_nodes(_ask_nodes(token))
    finally:
        ray.shutdown()


def judge_address(address: str) -> Finding | None:
    """Return what is wrong with an address before Ray, which would wait long, is asked."""
    if "://" in address:
        mend = "run on a machine of the cluster with --address auto"
        return Finding(f"{address!r} is an address of Ray Client or of jobs", "broken", mend)
    if address == "auto":
        return None
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return Finding(
            f"{address!r} is no address", "broken", "write auto or host:port, for example head:6379"
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except OSError as error:
        mend = "see that 'ray start --head' runs there and that no firewall blocks the port"
        return Finding(f"nobody answers at {address!r}: {error.strerror or error}", "broken", mend)
    return None


def judge_nodes(nodes: Sequence[Node]) -> Iterator[Finding]:
    """Yield what is to be said of the machines of a cluster."""
    cores, gpus = sum(node.cores for node in nodes), sum(node.gpus for node in nodes)
    yield Finding(f"{len(nodes)} nodes, {cores:g} cores, {gpus:g} GPUs")
    for node in nodes:
        yield _judge_node(node)
    shared = [node for node in nodes if node.home]
    if len(shared) < len(nodes):
        found = f"{len(shared)} of {len(nodes)} nodes see the home folder"
        mend = "mount it everywhere at one path, or accept that a trial resumes on its own node only"
        yield Finding(found, "warning", mend)
    elif len(nodes) > 1:
        yield Finding("all nodes see the home folder")


def _judge_node(node: Node) -> Finding:
    told = f"node {node.address}: {node.cores:g} cores, {node.gpus:g} GPUs"
    if node.python is None:
        mend = "see whether it is busy or cut off: ray status, and the ports in docs/cluster.md"
        return Finding(f"{told}, no answer for {ANSWER_SECONDS:.0f} s", "warning", mend)
    told += f", Python {node.python}, lossbench {node.lossbench or 'not installed'}"
    if node.lossbench != __version__:
        mend = f"install lossbench {__version__} there, in the Python that started Ray"
        return Finding(told, "broken", mend)
    if node.python.rpartition(".")[0] != platform.python_version().rpartition(".")[0]:
        return Finding(told, "broken", f"start Ray there with Python {platform.python_version()}")
    return Finding(told)


@contextmanager
def _token_in(home: Path) -> Iterator[str | None]:
    """Give the path of a file in the home folder that other nodes look for; None: there is no such folder."""
    with ExitStack() as stack:
        name = None
        with suppress(OSError):
            token = tempfile.NamedTemporaryFile(dir=home.absolute(), prefix=".doctor-")  # noqa: SIM115
            name = stack.enter_context(token).name
        yield name


def _ask_nodes(token: str | None) -> list[Node]:
    """Run one task on every living node; each needs no core, so busy nodes answer, too."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # Inside, so that Ray sends its code: a node without lossbench answers, too.
    def facts(token: str | None) -> dict[str, Any]:
        from importlib.metadata import PackageNotFoundError, version

        try:
            installed = version("lossbench")
        except PackageNotFoundError:
            installed = None
        seen = token is not None and os.path.exists(token)
        return {"python": platform.python_version(), "lossbench": installed, "home": seen}

    everyone: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    alive = [each for each in everyone if each["Alive"]]
    asked = {}
    for each in alive:
        where = NodeAffinitySchedulingStrategy(each["NodeID"], soft=False)
        task = ray.remote(num_cpus=0, max_retries=0)(facts)
        asked[task.options(scheduling_strategy=where).remote(token)] = each
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=ANSWER_SECONDS)
    nodes = []
    for answer, each in asked.items():
        resources = each["Resources"]
        told = ray.get(answer) if answer in ready else {}
        nodes.append(
            Node(each["NodeManagerAddress"], resources.get("CPU", 0), resources.get("GPU", 0), **told)
        )
    return nodes
