"""The benchmark of scheduling: what a study costs beside the training of its trials."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from harness.bench import made_up_trials
from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions, Row
from harness.bench.clocks import Times, Work
from harness.bench.measure import Comparison, Ratio, Settings, compare
from harness.bench.scheduling_plan import PlannedStudy, fresh_process
from harness.bench.scheduling_runs import DrivenTrials, MadeUpStudy, TunedTrials, per_slot, per_trial, scratch
from harness.bench.scheduling_soak import Chaos, soak
from harness.bench.trial_runs import ToldClock
from harness.scheduling.cluster.pool import PoolOptions, RayExecutor

IDEAL, TUNE, TUNE_REUSED, ONE, LIMIT, MEMORY = (
    "ideal",
    "Ray Tune",
    "Tune, actors reused",
    "1 worker",
    "limit",
    "memory limit",
)

MOST_ROUNDS = 3
"""A sample takes many seconds."""

WORKERS = (1, 2, 4, 8, 64)
"""Of the rows that scale; they sleep, so there may be more of them than cores."""

MOST_SECONDS_TO_DISPATCH = 0.002
MOST_OVERHEAD = 1.05
LEAST_EFFICIENCY = 0.95
MOST_SECONDS_TO_PLAN, MOST_BYTES_OF_A_PLAN = 10.0, 200 * 1024**2


@dataclass(frozen=True)
class Sizes:
    """How much the rows run.

    Attributes:
        dispatched: Trials that do nothing.
        short: Trials of 1 s for each worker, in one sample.
        long: Trials of 10 s likewise.
        scaled: Trials of 1 s for each simulated worker.
        planned: Trials of the large study.
        soaked: Trials among which workers are killed.
        kills: Workers killed there at most.
        every: Seconds between two kills, on average.
        second: How long a second lasts.
    """

    dispatched: int = 1000
    short: int = 8
    long: int = 2
    scaled: int = 5
    planned: int = 10_000
    soaked: int = 2000
    kills: int = 100
    every: float = 0.5
    second: float = 1.0

    @classmethod
    def small(cls, trials: int) -> "Sizes":
        """Return sizes that show only that everything runs."""
        return cls(trials, 2, 1, 2, 10 * trials, 10 * trials, max(1, trials // 2), 0.5, second=0.05)


@BENCHMARKS.register("scheduling")
class Scheduling(Benchmark):
    """Seconds that driver, pool and database add to trials which train nothing, by the clock on the wall.

    ``dispatch``: a trial that does nothing, on as many workers as cores. ``overhead``: of trials that
    sleep, over trials x seconds / workers, and against Ray Tune in the same run. ``scaling``: the same
    number of sleeping trials for each of 1 to 64 workers, against one worker. ``plan``: the plan of a
    large study. ``soak``: a study whose workers are killed, once. Samples take long: ``dispatch`` has all
    rounds, the others three at most.
    """

    baselines = (IDEAL, TUNE, TUNE_REUSED, ONE, LIMIT, MEMORY)

    def __init__(self, options: BenchOptions) -> None:
        super().__init__(options)
        self._sizes = Sizes.small(options.size) if options.size else Sizes()

    def names(self) -> list[str]:
        """Return what is timed."""
        return list(self._rows)

    def row(self, name: str) -> Row:
        """Time one of them."""
        return self._rows[name](name)

    @property
    def _rows(self) -> dict[str, Callable[[str], Row]]:
        sizes = self._sizes
        scaling = {f"scaling {number}": number for number in WORKERS}
        return {
            "dispatch": self._dispatch,
            "overhead 1 s": lambda name: self._overhead(name, sizes.second, sizes.short),
            "overhead 10 s": lambda name: self._overhead(name, 10 * sizes.second, sizes.long, rounds=1),
            **{name: lambda row: self._scaling(row, scaling[row]) for name in scaling},
            "plan": self._plan,
            "soak": self._soak,
        }

    @property
    def _cores(self) -> int:
        return len(os.sched_getaffinity(0))

    def _compare(self, subject: Work, others: dict[str, Work], rounds: int = MOST_ROUNDS) -> Comparison:
        """Compare in samples of one call and few rounds."""
        rounds = min(self.options.settings.rounds, rounds)
        return compare(subject, others, ToldClock(), Settings(rounds, sample_seconds=1e-9, retries=0))

    def _dispatch(self, name: str) -> Row:
        """Time trials that do nothing."""
        with pool("no_op", self._cores) as workers:
            ours = DrivenTrials(workers, self._cores, self._sizes.dispatched, 0.0, per_trial)
            found = self._compare(
                ours, {LIMIT: lambda: MOST_SECONDS_TO_DISPATCH}, self.options.settings.rounds
            )
        last = ours.last
        assert last is not None
        statements, transactions = last.statements / last.trials, last.transactions / last.trials
        note = (
            f"{last.trials} trials on {self._cores} workers; a trial takes "
            f"{1000 * last.cpu / last.trials:.1f} ms CPU of the driver's process, {statements:.1f} "
            f"statements and {transactions:.2f} transactions; limit {1000 * MOST_SECONDS_TO_DISPATCH:g} ms"
        )
        return Row(name, found, targets={LIMIT: 1.0}, note=note)

    def _overhead(self, name: str, seconds: float, each: int, rounds: int = MOST_ROUNDS) -> Row:
        """Time sleeping trials against Ray Tune and against a scheduler that costs nothing."""
        slots, trials = self._cores, each * self._cores
        with pool("sleep", slots) as workers:
            ours = DrivenTrials(workers, slots, trials, seconds, per_slot(slots))
            others: dict[str, Work] = {
                IDEAL: lambda: seconds,
                TUNE: TunedTrials(slots, trials, seconds, reuse_actors=False),
                TUNE_REUSED: TunedTrials(slots, trials, seconds, reuse_actors=True),
            }
            found = self._compare(ours, others, rounds)
        overheads = {"ours": found.seconds.wall / seconds - 1} | {
            peer: found.seconds.wall / found.against[peer].wall / seconds - 1 for peer in (TUNE, TUNE_REUSED)
        }
        shown = ", ".join(f"{who} {share:.1%}" for who, share in overheads.items())
        note = f"overhead: {shown}; {trials} trials of {seconds:g} s, {slots} at a time"
        return Row(name, found, targets={IDEAL: MOST_OVERHEAD}, note=note)

    def _scaling(self, name: str, slots: int) -> Row:
        """Time as many sleeping trials for each worker, with one worker and with many."""
        each, seconds = self._sizes.scaled, self._sizes.second
        with pool("sleep", slots) as workers:
            ours = DrivenTrials(workers, slots, each * slots, seconds, per_slot(slots))
            alone = DrivenTrials(workers, 1, each, seconds, per_slot(1))
            found = self._compare(ours, {ONE: alone, IDEAL: lambda: seconds})
        note = f"efficiency {1 / found.against[ONE].wall:.1%}; {each} trials of {seconds:g} s for each worker"
        return Row(name, found, targets={ONE: 1 / LEAST_EFFICIENCY}, note=note)

    def _plan(self, name: str) -> Row:
        """Time the plan of a large study, and weigh it."""
        made_up = MadeUpStudy(self._sizes.planned, losses=20, datasets=5, folds=5)
        with fresh_process() as process:
            ours = PlannedStudy(process, made_up)
            found = self._compare(ours, {LIMIT: lambda: MOST_SECONDS_TO_PLAN})
            timed, traced = ours.first, ours.traced()
        assert timed is not None
        share = max(timed.resident or 0, traced.peak) / MOST_BYTES_OF_A_PLAN
        found = replace(found, against={**found.against, MEMORY: Ratio(share, share)})
        steps = ", ".join(f"{step} {seconds:.2f} s" for step, seconds in timed.parts.items())
        note = (
            f"{made_up.trials:,} trials: {steps}; the process grows by {_shown(timed.resident)}, Python "
            f"objects by {_shown(traced.kept)}, {_shown(traced.peak)} on the way; limits "
            f"{MOST_SECONDS_TO_PLAN:g} s and {_shown(MOST_BYTES_OF_A_PLAN)}"
        )
        return Row(name, found, targets={LIMIT: 1.0, MEMORY: 1.0}, note=note)

    def _soak(self, name: str) -> Row:
        """Kill workers at random and count what is lost."""
        sizes, slots, seconds = self._sizes, 2 * self._cores, 0.05 * self._sizes.second
        chaos = Chaos(sizes.kills, sizes.every)
        with pool("numbered", slots) as workers, scratch() as folder:
            workers.warm_up()
            found = soak(workers, MadeUpStudy(sizes.soaked), seconds, chaos, folder)
        driven = found.driven
        note = (
            f"{driven.trials} trials on {slots} workers in {driven.wall:.0f} s, {found.kills} workers "
            f"killed, {found.retries} trials begun again, {found.attempts} attempts; {found.lost} "
            f"lost, {found.double} double, {found.wrong} with wrong numbers"
        )
        if found.faults:
            return Row(name, error=note)
        each, faults = driven.wall / driven.trials, float(found.faults)
        comparison = Comparison(Times(each, each), Ratio(1.0, 1.0), {LIMIT: Ratio(faults, faults)})
        return Row(name, comparison, targets={LIMIT: 0.0}, peers={LIMIT: "faults"}, note=note)


@contextmanager
def pool(entry: str, workers: int) -> Iterator[RayExecutor]:
    """Give a pool of workers that run one of the made-up trials."""
    module = made_up_trials
    options = PoolOptions(workers=workers, entry=f"{module.__name__}:{entry}", parcel=module.errand)
    executor = RayExecutor(options)
    try:
        yield executor
    finally:
        executor.close()


def _shown(size: int | None) -> str:
    return "an unknown number of MiB" if size is None else f"{size / 1024**2:.0f} MiB"
