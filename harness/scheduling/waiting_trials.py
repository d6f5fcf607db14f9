"""The trials that are left: what the source gives, less what the database has and other drivers train."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.scheduling.trial_forms import DriverOptions, Folders, record_of
from harness.scheduling.trial_source import TrialSource
from harness.store.artifacts import folder_of
from harness.store.schema import FINAL_STATES
from harness.store.trials import Claim, TrialStore
from harness.study.plan import PlannedTrial
from harness.training import checkpoint

ASK_AGAIN_SECONDS = 1.0
"""How often trials that another driver holds are asked for."""


@dataclass(frozen=True)
class Taker:
    """What becomes of trials.

    Attributes:
        begin: Called with the key and all places of a trial whose lease is taken now.
        join: Called with a key and a further place; whether the trial is running.
        reuse: Called with a place of a trial that has ended, and how.
        patiently: Asks the database until it answers.
    """

    begin: Callable[[str, list[PlannedTrial]], None]
    join: Callable[[str, PlannedTrial], bool]
    reuse: Callable[[PlannedTrial, Claim], None]
    patiently: Callable[[Callable[[], Any]], Any]


class WaitingTrials:
    """Takes trials from a source and their leases from the database.

    Args:
        store: Results database.
        study_id: The study that the trials belong to.
        source: Gives the trials.
        options: Of the driver.
        folders: Where trials read and write.
        taker: What becomes of them.
    """

    def __init__(
        self,
        store: TrialStore,
        study_id: int,
        source: TrialSource,
        options: DriverOptions,
        folders: Folders,
        taker: Taker,
    ) -> None:
        self._store, self._study_id, self._source = store, study_id, source
        self._folders, self._taker = folders, taker
        self._retry = {"failed"} if options.retry_failed else set[str]()
        self._known: dict[tuple[str, str], Claim] = {}
        self._elsewhere: deque[PlannedTrial] = deque()
        self._ask_at = 0.0

    @property
    def elsewhere(self) -> bool:
        """Whether trials were put aside, most of them because another driver has them."""
        return bool(self._elsewhere)

    def look_up(self) -> None:
        """Learn what the database knows of the study's trials."""
        self._known = self._taker.patiently(lambda: self._store.places(self._study_id))

    def has_given(self, most: int) -> bool:
        """Give the taker up to so many trials to begin, and return whether there was any that might."""
        wanted = self._wanted(most)
        for retry, keys in self._by_retry(wanted).items():
            claims = self._taker.patiently(partial(self._store.claim, keys, retry))
            for key in keys:
                self._settle(key, wanted[key], claims[key])
        return bool(wanted)

    def put_aside(self, planned: Iterable[PlannedTrial]) -> None:
        """Ask for these again, a little later."""
        self._elsewhere += planned
        self._ask_at = time.monotonic() + ASK_AGAIN_SECONDS

    def has_ended(self, planned: PlannedTrial, state: str) -> bool:
        """Whether a trial in this state is not trained (again) for this place."""
        if state == "pruned":
            return self._source.judges(planned)
        return state in FINAL_STATES or (state == "failed" and "failed" not in self._retry)

    def _wanted(self, most: int) -> dict[str, list[PlannedTrial]]:
        """Take trials from the source that may have to be trained, with all the places that they have."""
        wanted: dict[str, list[PlannedTrial]] = {}
        unregistered: list[PlannedTrial] = []
        while len(wanted) < most and (planned := self._next()):
            key = planned.trial.key
            known = self._known.get((key, planned.label))
            if known is None:
                unregistered.append(planned)
            if self._taker.join(key, planned):
                continue
            if known is not None and self.has_ended(planned, known.state):
                self._taker.reuse(planned, known)
            else:
                wanted.setdefault(key, []).append(planned)
        if unregistered:  # a search has just made them
            records = list(map(record_of, unregistered))
            self._taker.patiently(lambda: self._store.register_trials(self._study_id, records))
        return wanted

    def _next(self) -> PlannedTrial | None:
        planned = self._source.take()
        if planned is None and self._elsewhere and time.monotonic() >= self._ask_at:
            planned = self._elsewhere.popleft()
        return planned

    def _by_retry(self, wanted: dict[str, list[PlannedTrial]]) -> dict[frozenset[str], list[str]]:
        """Return the keys by the ended states from which they are tried again."""
        found: dict[frozenset[str], list[str]] = {}
        for key, planned in wanted.items():
            pruned = set[str]() if all(map(self._source.judges, planned)) else {"pruned"}
            found.setdefault(frozenset(self._retry | pruned), []).append(key)
        return found

    def _settle(self, key: str, planned: list[PlannedTrial], claim: Claim) -> None:
        if claim.state in {*FINAL_STATES, "pruned"}:  # a worker that was given up may have left one
            checkpoint.remove(self._folders.artifacts / folder_of(key))
        if claim.taken:
            self._taker.begin(key, planned)
        elif all(self.has_ended(each, claim.state) for each in planned):
            for each in planned:
                self._taker.reuse(each, claim)
        else:
            for each in planned:  # its state is no longer the one that was known
                self._known[key, each.label] = claim
            self.put_aside(planned)
