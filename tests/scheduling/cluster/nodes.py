"""A Ray cluster on this machine whose further nodes share nothing with the first one.

A node apart has a network of its own (a virtual cable to a bridge), sees other files (empty folders hide the
named ones and ``/tmp``) and processes of its own: it ends with one signal. Linux and root are needed;
:func:`why_not` tells what is missing.
"""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

RAY = str(Path(sys.executable).with_name("ray"))
PROGRAMS = ("ip", "unshare", "setpriv", "mount")
MOUNTED = Path("/mnt")
"""Where a node apart sees its own folder, :attr:`Node.folder`."""

START_SECONDS = 60.0
OBJECT_STORE_BYTES = 100_000_000  # little more than the least that Ray takes

ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:1",
    "RAY_AUTH_MODE": "disabled",  # `ray start --head` would ask for a token
    "RAY_worker_niceness": "0",
    "OMP_NUM_THREADS": "1",
}
_OPTIONS = (
    "--block",
    "--min-worker-port=0",
    "--max-worker-port=0",
    f"--object-store-memory={OBJECT_STORE_BYTES}",
    "--disable-usage-stats",
)
# All processes of a node die with its first one, and that with the test process, even if this is killed.
_ALONE = ("setpriv", "--pdeathsig", "KILL", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")


@cache
def why_not() -> str | None:
    """Return why nodes cannot be kept apart here, or None if they can."""
    if Path(sys.prefix).is_relative_to("/tmp"):
        return "this checkout lies in /tmp, and every node has a /tmp of its own"
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        return f"no program {missing[0]!r}"
    attempt = "ip link add type veth && ip link add type bridge && mount -t tmpfs none /mnt"
    tried = subprocess.run(
        [*_ALONE, "--net", "sh", "-c", attempt], capture_output=True, text=True, check=False
    )
    return None if tried.returncode == 0 else f"no namespaces for networks and files: {tried.stderr.strip()}"


@dataclass
class Node:
    """A node of the cluster.

    Attributes:
        address: Of its network.
        folder: Its own, as seen from outside.
        process: Ends with all of the node's processes.
        cable: Outer end of the cable to the bridge; empty for the head.
    """

    address: str
    folder: Path
    process: subprocess.Popen[bytes]
    cable: str = ""

    @property
    def cache(self) -> Path:
        """What was sent to it, as seen from outside."""
        return self.folder / "cache"

    @property
    def log(self) -> str:
        """What Ray printed."""
        return (self.folder / "ray.log").read_text(errors="replace")

    def kill(self) -> None:
        """End the node at once, as a power cut would."""
        self.process.kill()
        self.process.wait()
        if self.cable:  # by itself it may stay for minutes, until the last connection has timed out
            subprocess.run(["ip", "link", "del", self.cable], capture_output=True, check=False)


@dataclass
class Nodes:
    """A head node, which shares this machine's files, and nodes apart.

    Attributes:
        network: The first three numbers of all addresses.
        bridge: The device that connects the nodes.
        scratch: Folder for the nodes' folders; hide it from nodes apart.
        port: Of the head.
        started: All nodes, head first.
    """

    network: str
    bridge: str
    scratch: Path
    port: int
    started: list[Node] = field(default_factory=list)

    @property
    def address(self) -> str:
        """What ``--address`` takes."""
        return f"{self.network}.1:{self.port}"

    def add(
        self,
        hidden: Sequence[Path],
        cpus: int = 1,
        replaced: Mapping[Path, Path] | None = None,
        cache_size: str | None = None,
    ) -> Node:
        """Start a node apart and wait until it is part of the cluster.

        Args:
            hidden: Folders that it sees empty, besides ``/tmp``.
            cpus: Cores that it offers.
            replaced: Folders that it sees with the content of others.
            cache_size: Size of its own disk for the cache, such as ``1m``; else that of the outside.
        """
        node = self._begin(["--net"])
        folder, cache = node.folder, MOUNTED / "cache"
        orders = [
            f"mount --bind {folder} {MOUNTED}",
            f"mkdir {cache}",
            f"mount -t tmpfs -o size={cache_size} none {cache}" if cache_size else "",
            *(f"mount --bind {content} {place}" for place, content in (replaced or {}).items()),
            *(f"[ ! -d {each} ] || mount -t tmpfs none {each}" for each in hidden),
            "mount -t tmpfs none /tmp",
            f"ip link set lo up && ip addr add {node.address}/24 dev inner && ip link set inner up",
            f"export LOSSBENCH_NODE_CACHE={cache}",
            f"exec {RAY} start --address={self.address} --num-cpus={cpus} --node-ip-address={node.address} "
            + " ".join(_OPTIONS),
        ]
        node.cable = f"{self.bridge}-{len(self.started)}"
        inner = ("peer", "name", "inner", "netns", str(node.process.pid))
        _ip("link", "add", node.cable, "type", "veth", *inner)
        _ip("link", "set", node.cable, "master", self.bridge, "up")
        _order(node, orders)
        return node

    def start_head(self, cpus: int, temporary: str) -> None:
        """Start the first node; ``temporary`` is a short folder, as Ray puts sockets there."""
        node = self._begin([])
        _order(
            node,
            [
                f"export LOSSBENCH_NODE_CACHE={node.cache}",
                f"exec {RAY} start --head --port={self.port} --num-cpus={cpus} --include-dashboard=false "
                f"--node-ip-address={node.address} --temp-dir={temporary} " + " ".join(_OPTIONS),
            ],
        )

    def end(self) -> None:
        """End all nodes, head last."""
        for node in reversed(self.started):
            node.kill()

    def _begin(self, apart: Sequence[str]) -> Node:
        """Start a shell in namespaces of its own, which waits for its orders."""
        number = len(self.started) + 1
        folder = self.scratch / f"node{number}"
        folder.mkdir(parents=True)
        waits = f"touch {folder}/begun; until [ -e {folder}/orders ]; do sleep 0.05; done; . {folder}/orders"
        with (folder / "ray.log").open("wb") as log:
            process = subprocess.Popen(
                [*_ALONE, *apart, "sh", "-ec", waits],
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **ENVIRONMENT},
                cwd="/",
            )
        node = Node(f"{self.network}.{number}", folder, process)
        self.started.append(node)
        _wait_until((folder / "begun").exists, node)
        return node


@contextmanager
def cluster(scratch: Path, cpus: int = 1) -> Iterator[Nodes]:
    """Run a cluster of one node with an address of its own, to which nodes apart can be added.

    Args:
        scratch: Empty folder for the nodes' folders.
        cpus: Cores that the head node offers.
    """
    bridge = f"lb{secrets.token_hex(4)}"
    network = f"198.{18 + secrets.randbelow(2)}.{1 + secrets.randbelow(254)}"  # set aside for such tests
    with ExitStack() as stack:
        _ip("link", "add", bridge, "type", "bridge")
        stack.callback(_ip, "link", "del", bridge)
        _ip("addr", "add", f"{network}.1/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        temporary = tempfile.mkdtemp(prefix="lbn-", dir="/tmp")
        stack.callback(shutil.rmtree, temporary, ignore_errors=True)
        nodes = Nodes(network, bridge, scratch, _free_port())
        stack.callback(nodes.end)
        nodes.start_head(cpus, temporary)
        yield nodes


def _order(node: Node, orders: Sequence[str]) -> None:
    """Let a node's shell go on, and wait until Ray runs."""
    written = node.folder / "orders.partial"
    written.write_text("\n".join(orders) + "\n")
    written.rename(node.folder / "orders")
    _wait_until(lambda: "Ray runtime started" in node.log, node)


def _wait_until(happened: Callable[[], bool], node: Node) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not happened():
        assert node.process.poll() is None, f"node {node.address} ended: {node.log}"
        assert time.monotonic() < deadline, f"node {node.address} does not start: {node.log}"
        time.sleep(0.05)


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])
