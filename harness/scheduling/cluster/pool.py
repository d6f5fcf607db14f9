"""Long-lived Ray actors on one machine or many, each of which trains one trial after another."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import InputError
from harness.scheduling.cluster.actor import Worker
from harness.scheduling.cluster.delivery import Deliveries
from harness.scheduling.cluster.nodes import NodePlaces, gpu_share, places_of
from harness.scheduling.cluster.places import Place, quietest, taken_for_one
from harness.scheduling.cluster.session import RaySession
from harness.scheduling.executor import Failure, Happening, Message, Stopped
from harness.scheduling.failures import describe
from harness.training.job import Finished, TrainingJob

TRIALS_PER_WORKER = 50
LIFE_OF_A_WORKER_SECONDS = 600.0
"""A worker is replaced after so many trials, if it is so old, too: no leak grows for ever."""

_LOOK_AT_NODES_SECONDS = 1.0
_FIRST_MACHINE_SECONDS = 60.0
_MOST_FAILED_STARTS = 5
_PAUSE_AFTER_FAILED_START_SECONDS = 2.0


@dataclass(frozen=True)
class PoolOptions:
    """What a pool is made of.

    Attributes:
        workers: Trials at a time at most; None: as many as the machines can run.
        trials_per_gpu: Trials that share a GPU; 0: they run on cores, one each.
        address: Of a running cluster; None: a private one on this machine.
        cores: Logical cores of a private one.
        gpus: GPUs of a private one; None: as Ray finds them.
        datasets: Folders of prepared datasets by fingerprint, for machines that do not see them.
        artifacts: Folder of the files of trials.
        entry: ``module:function`` of the generator function that runs a job.
        parcel: What a worker is given for a job.
    """

    workers: int | None = None
    trials_per_gpu: int = 0
    address: str | None = None
    cores: int = 1
    gpus: int | None = None
    datasets: Mapping[str, Path] = field(default_factory=dict)
    artifacts: Path = Path()
    entry: str = "harness.training.trainer:train"
    parcel: Callable[[TrainingJob], Any] = lambda job: job


class RayExecutor:
    """A pool of worker actors that follows the machines of its cluster.

    Args:
        options: What it is made of.

    Raises:
        InputError: if no cluster answers at the address.
    """

    def __init__(self, options: PoolOptions) -> None:
        self._options = options
        cpus = options.cores if options.trials_per_gpu else options.workers or options.cores
        self._session = RaySession(options.address, cpus, options.gpus)
        self._ray = self._session.ray
        self._deliveries = (
            None if self._session.private else Deliveries(self._ray, options.datasets, options.artifacts)
        )
        self._places: list[Place] = []
        self._alone: list[TrainingJob] = []
        self._waiting: list[Message] = []
        self._notes: list[str] = []
        self._known: dict[str, str] = {}
        self._refused: set[str] = set()
        self._has_begun = False
        self._looked = -_LOOK_AT_NODES_SECONDS
        try:
            self._look_at_nodes()
            self._await_first_machine()
        except BaseException:
            self.close()
            raise
        self._has_begun = True

    @property
    def workers(self) -> int:
        """Number of workers."""
        return len(self._places)

    @property
    def free(self) -> int:
        """Number of idle workers, less those that make room for a trial that wants a GPU for itself."""
        return len(self._free_places())

    def submit(self, job: TrainingJob, alone: bool = False) -> None:
        """Start a job on an idle worker: one that had its dataset last, else one whose machine has it."""
        if alone and self._options.trials_per_gpu > 1:
            self._alone.append(job)
            return
        self._give(min(self._free_places(), key=lambda place: self._distance(place, job)), job)

    def answer(self, key: str, goes_on: bool) -> None:
        """Tell the worker of a judged job, which waits for it."""
        for place in self._places:
            if place.job is not None and place.job.key == key and place.events is not None:
                place.actor.answer.options(concurrency_group="control").remote(key, goes_on)

    def wait(self, seconds: float) -> list[Message]:
        """Return what has happened to the jobs."""
        self._look_at_nodes()
        self._start_alone()
        for place in self._places:
            if place.job is not None and place.events is None:
                self._begin(place)
        if self._waiting:
            found, self._waiting = self._waiting, []
            return found
        return self._messages(seconds)

    def warm_up(self) -> None:
        """Wait until every worker has started."""
        while not all(place.idle for place in self._places):
            self.wait(_LOOK_AT_NODES_SECONDS)

    def notes(self) -> list[str]:
        """Return what there is to say about machines and deliveries."""
        found, self._notes = self._notes, []
        return found + (self._deliveries.news() if self._deliveries else [])

    def stop(self) -> None:
        """Ask every job to stop after its epoch."""
        for job in self._alone:
            self._waiting.append((job.key, Stopped()))
        self._alone.clear()
        for place in self._places:
            if place.job is None:
                continue
            if place.events is None:
                self._waiting.append((place.job.key, Stopped()))
                place.job = None
            else:
                place.actor.stop.options(concurrency_group="control").remote(place.job.key)

    def abandon(self, key: str) -> None:
        """Kill the worker of a job, and start another one."""
        self._alone = [job for job in self._alone if job.key != key]
        for place in self._places:
            if place.job is not None and place.job.key == key:
                self._renew(place)

    def cancel(self) -> None:
        """Kill all workers."""
        for place in self._places:
            self._kill(place)
        self._places.clear()
        self._alone.clear()

    def close(self) -> None:
        """Leave the cluster; a private one ends."""
        if self._deliveries:
            self._deliveries.close()
        self._session.close()

    # Messages

    def _messages(self, seconds: float) -> list[Message]:
        busy = {place.events: place for place in self._places if place.events is not None}
        starting = {place.ready: place for place in self._places if place.ready is not None}
        pending = self._deliveries.pending() if self._deliveries else []
        awaited = [*busy, *starting, *pending]
        if not awaited:
            time.sleep(min(seconds, _LOOK_AT_NODES_SECONDS))
            return []
        ready, _ = self._ray.wait(awaited, num_returns=len(awaited), timeout=0)
        if not ready:
            ready, _ = self._ray.wait(awaited, num_returns=1, timeout=min(seconds, _LOOK_AT_NODES_SECONDS))
        found: list[Message] = []
        for reference in ready:  # what is done for one may have renewed another
            if reference in busy and busy[reference].events == reference:
                found += self._take(busy[reference])
            elif reference in starting and starting[reference].ready == reference:
                self._started(starting[reference])
        return found

    def _take(self, place: Place) -> list[Message]:
        """Return all that a worker has to tell now."""
        assert place.job is not None
        key, found = place.job.key, list[Happening]()
        try:
            while not found or place.events.next_ready():
                found.append(self._ray.get(next(place.events)))
                if isinstance(found[-1], Finished | Failure | Stopped):
                    self._ended(place, found[-1])
                    break
        except StopIteration:
            found.append(Failure("error", "the worker ended without a result", ""))
            self._ended(place, found[-1])
        except self._ray.exceptions.RayTaskError as error:
            found.append(Failure("error", describe(error.cause or error), str(error)))
            self._ended(place, found[-1])
        except self._ray.exceptions.RayError as error:
            found.append(self._lost(place, error))
            self._renew(place)
        return [(key, each) for each in found]

    def _ended(self, place: Place, how: Happening) -> None:
        place.job = place.events = None
        if place.alone or (isinstance(how, Failure) and how.kind == "memory"):
            self._renew(place)  # with its share again; what it holds may be why there was too little

    def _lost(self, place: Place, error: Exception) -> Failure:
        what = type(error).__name__
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return Failure("memory", "the worker was killed: its machine ran out of memory", str(error))
        errors = self._ray.exceptions
        if isinstance(error, errors.NodeDiedError | errors.ActorUnavailableError) or not self._is_alive(
            place.at.node
        ):
            return Failure("node", f"the machine {place.at.address} was lost ({what})", str(error))
        return Failure("crash", f"the worker process died ({what})", str(error))

    # Workers

    def _free_places(self) -> list[Place]:
        taken = taken_for_one(self._places)
        if self._alone:
            taken.add(quietest(self._places))
        return [place for place in self._places if place.idle and place.group not in taken]

    def _distance(self, place: Place, job: TrainingJob) -> int:
        if place.prepared == job.prepared:
            return 0
        if self._deliveries is None or self._deliveries.has(job, place.at.node):
            return 1 if place.prepared is None else 2
        return 3

    def _give(self, place: Place, job: TrainingJob) -> None:
        worn = place.trials >= TRIALS_PER_WORKER
        if worn and time.monotonic() - place.born >= LIFE_OF_A_WORKER_SECONDS:
            self._renew(place)
        place.job, place.prepared, place.trials = job, job.prepared, place.trials + 1
        self._begin(place)

    def _begin(self, place: Place) -> None:
        """Send a place's job to its worker, once its dataset lies there."""
        assert place.job is not None
        job: TrainingJob | None = place.job
        if self._deliveries:
            job = self._deliveries.localised(place.job, place.at.node)
        if job is not None:
            run = place.actor.run.options(num_returns="streaming")
            place.events = run.remote(job.key, self._options.parcel(job))

    def _start(self, place: Place) -> None:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        options = self._options
        actor = self._ray.remote(
            num_cpus=place.at.cpus,
            num_gpus=1 if place.alone else gpu_share(options.trials_per_gpu),
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"control": 1},
            scheduling_strategy=NodeAffinitySchedulingStrategy(place.at.node, soft=False),
            **self._session.worker_options,
        )(Worker)
        place.actor = actor.remote(options.entry, not self._session.private)
        place.ready = place.actor.ready.remote()
        place.born, place.trials, place.prepared = time.monotonic(), 0, None

    def _started(self, place: Place) -> None:
        try:
            facts = self._ray.get(place.ready)
        except self._ray.exceptions.RayError as error:
            if place.job is not None:
                why = Failure("crash", "its worker could not be started", str(error))
                self._waiting.append((place.job.key, why))
            self._kill(place)
            place.failed_starts += 1
            place.not_before = time.monotonic() + _PAUSE_AFTER_FAILED_START_SECONDS
            if self._is_alive(place.at.node) and place.failed_starts >= _MOST_FAILED_STARTS:
                last = str(error).strip().splitlines()[-1]
                raise InputError(
                    f"no worker can be started on the machine {place.at.address}: {last}; "
                    "'lossbench doctor' looks for the cause"
                ) from None
            return
        place.ready, place.gpu, place.failed_starts = None, facts.gpu, 0

    def _renew(self, place: Place) -> None:
        self._kill(place)
        self._start(place)

    def _kill(self, place: Place) -> None:
        if place.actor is not None:
            self._ray.kill(place.actor, no_restart=True)
        place.actor = place.ready = place.job = place.events = None
        place.alone = False

    # A GPU for one trial

    def _start_alone(self) -> None:
        """Give a GPU on which nothing runs any more to the first trial that wants one for itself."""
        if not self._alone:
            return
        group = [place for place in self._places if place.group == quietest(self._places)]
        if not group or not all(place.idle for place in group):
            return
        place, *neighbours = group
        for neighbour in neighbours:
            self._kill(neighbour)
        self._kill(place)
        place.alone = True
        self._start(place)
        self._give(place, self._alone.pop(0))

    # Machines

    def _look_at_nodes(self) -> None:
        """Follow the machines that come and go, and start the workers that are missing."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_AT_NODES_SECONDS:
            self._looked = now
            options = self._options
            offered = places_of(self._ray.nodes(), options.trials_per_gpu, options.workers)
            usable = [each for each in offered if self._is_usable(each)]
            self._follow({each.node: each for each in usable})
        taken = taken_for_one(self._places)
        for place in self._places:
            if place.actor is None and place.not_before <= now and place.group not in taken:
                self._start(place)

    def _await_first_machine(self) -> None:
        """Wait until it is known of one machine of a cluster whether trials can run there.

        Raises:
            InputError: if no machine of the cluster has the right programs.
        """
        until = time.monotonic() + _FIRST_MACHINE_SECONDS
        while not self._places and time.monotonic() < until:
            offered = places_of(self._ray.nodes(), self._options.trials_per_gpu)
            if offered and self._refused >= {each.node for each in offered}:
                raise InputError(self._notes[0])
            self.wait(_LOOK_AT_NODES_SECONDS)

    def _is_usable(self, offer: NodePlaces) -> bool:
        """Whether a machine has the right programs; asked of it once, without waiting for the answer."""
        if self._deliveries is None:
            return True
        problem = self._deliveries.problem(offer.node)
        if problem is not None and offer.node not in self._refused:
            self._refused.add(offer.node)
            self._notes.append(problem)
        return problem is None and self._deliveries.facts(offer.node) is not None

    def _follow(self, offered: Mapping[str, NodePlaces]) -> None:
        for node in self._known.keys() - offered.keys():
            self._leave(node)
        for node, offer in offered.items():
            if node not in self._known and self._has_begun:
                self._notes.append(f"the machine {offer.address} has joined: {offer.number} more workers")
            self._known[node] = offer.address
            missing = offer.number - sum(place.at.node == node for place in self._places)
            if self._options.workers is not None:  # a machine that joins takes no worker from another
                missing = min(missing, self._options.workers - len(self._places))
            self._places += [Place(offer) for _ in range(missing)]

    def _leave(self, node: str) -> None:
        address = self._known.pop(node)
        gone = [place for place in self._places if place.at.node == node]
        for place in gone:
            if place.job is not None:
                reason = f"the machine {address} was lost"
                self._waiting.append((place.job.key, Failure("node", reason, "")))
            self._kill(place)
            self._places.remove(place)
        if self._deliveries:
            self._deliveries.forget(node)
        self._notes.append(f"the machine {address} has left: {len(gone)} workers fewer")

    def _is_alive(self, node: str) -> bool:
        return any(each["NodeID"] == node and each["Alive"] for each in self._ray.nodes())
