"""Let trials run on nodes that do not share the driver's folders.

The driver asks every node what it sees. A prepared dataset that a node lacks is sent there once; a trial on
a node without the artifacts folder works in a scratch folder, from which its files are sent back.
Nothing here blocks: whoever asks too early is told nothing yet.
"""

import hashlib
import logging
import platform
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.scheduling.cluster.parcel import Parcel, deliver, pack
from harness.scheduling.cluster.scout import Code, NodeFacts, Question, code_here, contents_of, scout
from harness.scheduling.cluster.scratch import scratch_folder
from harness.training.job import TrainingJob

ANSWER_SECONDS = 300.0
"""A node that has not said by then what it sees is not used."""

_ATTEMPTS = 3
_TOKEN_PREFIX = ".seen-by-"
_OLD_SECONDS = 7 * 86400.0

_log = logging.getLogger(__name__)


@dataclass
class _Request:
    """A task on a node, begun again if its process is lost.

    Attributes:
        begin: Starts it and returns its reference.
        began: When, by the monotonic clock.
        reference: Of the attempt under way; None once it is over.
        answer: What it returned.
        refusal: Why it will not, in words.
        attempts: So far.
    """

    begin: Callable[[], Any]
    began: float = field(default_factory=time.monotonic)
    reference: Any = None
    answer: Any = None
    refusal: str | None = None
    attempts: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more is to come."""
        return self.answer is not None or self.refusal is not None

    def poll(self, ray: Any) -> bool:
        """Take the answer if it is there, and return whether nothing more is to come since this call."""
        if self.is_over:
            return False
        if self.reference is None:
            self.reference, self.attempts = self.begin(), self.attempts + 1
        ready, _ = ray.wait([self.reference], timeout=0)
        if not ready:
            return False
        reference, self.reference = self.reference, None
        try:
            self.answer, self.begin = ray.get(reference), _nothing
        except Exception as error:  # whatever a foreign process raises, this one goes on
            _log.info("a task on a node has failed: %s", error)
            cause = getattr(error, "cause", None) or error
            if isinstance(cause, InputError) or self.attempts == _ATTEMPTS:
                self.refusal, self.begin = _reason(cause), _nothing
        return self.is_over


def _nothing() -> None:
    """Take the place of what began a task, which holds on to all that the task was sent."""


@dataclass
class _Node:
    """What the driver knows of a node: its answer, and what is sent to it, by the driver's folder."""

    scout: _Request
    deliveries: dict[Path, _Request] = field(default_factory=dict)


class Deliveries:
    """Knows what every node of a cluster sees, and sends what it lacks.

    Args:
        ray: The module, connected to a cluster.
        datasets: Folders of the prepared datasets by fingerprint.
        artifacts: Folder of the files of trials; made if it is not there.

    Raises:
        InputError: if a prepared dataset is not whole.
        OSError: if the artifacts folder cannot be written.
    """

    def __init__(self, ray: Any, datasets: Mapping[str, Path], artifacts: Path) -> None:
        self._ray = ray
        self._code = code_here()
        self._driver = hashlib.sha256(f"{platform.node()} {artifacts}".encode()).hexdigest()[:16]
        artifacts.mkdir(parents=True, exist_ok=True)
        token = secrets.token_hex(16)
        contents = {folder: contents_of(folder) for folder in datasets.values()}
        for folder, found in contents.items():
            if found is None:
                raise InputError(
                    f"prepared dataset {folder.name!r} is not whole; delete its folder and run again"
                )
        self._question = Question(
            token,
            artifacts / f"{_TOKEN_PREFIX}{secrets.token_hex(4)}",
            {folder: found for folder, found in contents.items() if found},
        )
        _remove_old_tokens(artifacts)
        self._question.token_file.write_text(token)
        self._nodes: dict[str, _Node] = {}
        self._parcels: dict[Path, Future[Parcel]] = {}
        self._packer = ThreadPoolExecutor(1, thread_name_prefix="lossbench-packer")
        self._closed = threading.Event()
        self._news: list[str] = []

    def facts(self, node_id: str) -> NodeFacts | None:
        """Return what a node sees, or None as long as it has not said so; the first call asks it."""
        request = self._node(node_id).scout
        request.poll(self._ray)
        found: NodeFacts | None = request.answer
        return found

    def problem(self, node_id: str) -> str | None:
        """Return why a node cannot be used, as a sentence; None if nothing is known against it."""
        self.facts(node_id)
        return self._verdict(node_id)

    def _verdict(self, node_id: str) -> str | None:
        """Return what is known against a node, without asking it."""
        node = self._node(node_id)
        facts: NodeFacts | None = node.scout.answer
        if facts is not None and facts.code != self._code:
            return f"node {self._address(node_id)} {_difference(facts.code, self._code)}"
        refusals = [request.refusal for request in node.deliveries.values() if request.refusal]
        if refusals:
            return f"node {self._address(node_id)} cannot be sent a dataset: {refusals[0]}"
        if node.scout.refusal:
            return (
                f"node {self._address(node_id)} does not run lossbench: {node.scout.refusal}; "
                f"install version {self._code.lossbench} for Python {self._code.python} there, then start "
                "Ray there again"
            )
        if facts is None and time.monotonic() - node.scout.began > ANSWER_SECONDS:
            return (
                f"node {self._address(node_id)} has not answered for {ANSWER_SECONDS:.0f} s; look at Ray's "
                "logs there, then start Ray there again"
            )
        return None

    def has(self, job: TrainingJob, node_id: str) -> bool:
        """Whether a job's dataset lies on a node already."""
        return self._place_of(job.prepared, node_id) is not None

    def localised(self, job: TrainingJob, node_id: str) -> TrainingJob | None:
        """Return a job with the folders that it has on a node; None as long as its dataset is not there."""
        facts = self.facts(node_id)
        if facts is None or self.problem(node_id) is not None:
            return None
        prepared = self._place_of(job.prepared, node_id)
        if prepared is None:
            self._send(job.prepared, node_id)
            return None
        if facts.shares_artifacts:
            return replace(job, prepared=prepared)
        return replace(job, prepared=prepared, folder=scratch_folder(facts.cache, self._driver, job.folder))

    def pending(self) -> list[Any]:
        """Return the references of the tasks that nodes have not answered yet, for ``ray.wait``."""
        for node_id, node in self._nodes.items():  # an answer that is there must not wake anybody again
            self.facts(node_id)
            for folder in node.deliveries:
                self._place_of(folder, node_id)
        requests = (each for node in self._nodes.values() for each in (node.scout, *node.deliveries.values()))
        return [request.reference for request in requests if request.reference is not None]

    def news(self) -> list[str]:
        """Return what has been begun or done since the last call, in sentences."""
        found, self._news = self._news, []
        return found

    def forget(self, node_id: str) -> None:
        """Drop what is known of a node that has left, unless it is a problem: a new start has a new id."""
        if node_id in self._nodes and self._verdict(node_id) is None:
            del self._nodes[node_id]

    def close(self) -> None:
        """Stop packing and take the trace in the artifacts folder away; before ``ray.shutdown``."""
        self._closed.set()
        self._packer.shutdown(cancel_futures=True)
        self._nodes.clear()
        self._parcels.clear()
        self._question.token_file.unlink(missing_ok=True)

    def _node(self, node_id: str) -> _Node:
        if node_id not in self._nodes:
            self._nodes[node_id] = _Node(_Request(lambda: self._on(node_id, scout, self._question)))
        return self._nodes[node_id]

    def _on(self, node_id: str, function: Callable[..., Any], argument: Any) -> Any:
        """Start a task on a node, on no core of its own."""
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        task = self._ray.remote(num_cpus=0, max_retries=0)(function)
        strategy = NodeAffinitySchedulingStrategy(node_id, soft=False)
        return task.options(scheduling_strategy=strategy).remote(argument)

    def _place_of(self, folder: Path, node_id: str) -> Path | None:
        """Return where a node has a prepared dataset."""
        facts = self.facts(node_id)
        if facts is not None and folder in facts.datasets:
            return facts.datasets[folder]
        request = self._node(node_id).deliveries.get(folder)
        if request is None:
            return None
        if request.poll(self._ray):
            self._drop_parcel(folder)
            if request.refusal is None:
                took = time.monotonic() - request.began
                address = self._address(node_id)
                self._news.append(f"dataset {folder.name!r} has reached node {address} ({took:.0f} s)")
        found: Path | None = request.answer
        return found

    def _drop_parcel(self, folder: Path) -> None:
        """Give back the memory of a dataset, once no node that is known will want it."""
        if all(self._is_served(node_id, folder) for node_id in self._nodes):
            self._parcels.pop(folder, None)

    def _is_served(self, node_id: str, folder: Path) -> bool:
        node = self._nodes[node_id]
        facts: NodeFacts | None = node.scout.answer
        if facts is not None and folder in facts.datasets:
            return True
        request = node.deliveries.get(folder)
        return (request is not None and request.is_over) or self._verdict(node_id) is not None

    def _send(self, folder: Path, node_id: str) -> None:
        """Begin to send a dataset, once it is packed.

        Raises:
            InputError: if it cannot be packed.
        """
        node = self._node(node_id)
        if folder in node.deliveries:
            return
        if folder not in self._parcels:
            contents = self._question.datasets[folder]
            self._parcels[folder] = self._packer.submit(
                pack, folder, contents, self._ray.put, lambda: not self._closed.is_set()
            )
            self._news.append(f"packing dataset {folder.name!r} ({contents.size / 1e6:,.1f} MB)")
        if not self._parcels[folder].done():
            return
        try:
            parcel = self._parcels[folder].result()
        except (OSError, self._ray.exceptions.RayError) as error:
            raise InputError(
                f"prepared dataset {folder.name!r} cannot be sent to other nodes ({_reason(error)}); make "
                "room for Ray's objects, or put the home folder on a disk that all nodes see"
            ) from error
        request = node.deliveries[folder] = _Request(lambda: self._on(node_id, deliver, parcel))
        request.poll(self._ray)
        self._news.append(f"sending dataset {folder.name!r} to node {self._address(node_id)}")

    def _address(self, node_id: str) -> str:
        nodes = self._ray.nodes()
        return next((each["NodeManagerAddress"] for each in nodes if each["NodeID"] == node_id), node_id)


def _remove_old_tokens(artifacts: Path) -> None:
    """Delete what drivers that were killed have left."""
    for path in artifacts.glob(f"{_TOKEN_PREFIX}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _OLD_SECONDS:
                path.unlink()


def _difference(theirs: Code, ours: Code) -> str:
    """Return in which way a node runs something else, and the remedy."""
    again = "then start Ray there again"
    if theirs.python != ours.python:
        return f"has Python {theirs.python}, this machine {ours.python}; install the same one, {again}"
    if theirs.ray != ours.ray:
        return f"has Ray {theirs.ray}, this machine {ours.ray}; install the same one, {again}"
    if theirs.lossbench != ours.lossbench:
        return (
            f"has lossbench {theirs.lossbench}, this machine {ours.lossbench}; install the same one, {again}"
        )
    return (
        f"has other code under the same version {ours.lossbench} of lossbench (digest {theirs.digest}, here "
        f"{ours.digest}); install the same commit on both, {again}"
    )


def _reason(error: BaseException) -> str:
    """Return the last line of what an error says, where Ray puts the cause."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip().rstrip(".") if lines else type(error).__name__
