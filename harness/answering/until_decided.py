"""A source of trials that stops when the scores have decided: seeds where they settle something."""

import logging
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.answering.judging import Judge, OtherPlan, Question, Standing, digest_of_question, take_look
from harness.errors import InputError
from harness.scheduling.patience import patiently
from harness.scheduling.progress import Cell, cell_of
from harness.scheduling.trial_source import TrialResult
from harness.statistics.stages import judge as judge_block
from harness.store.database import Database
from harness.store.stages import StageRecord, read_stages
from harness.study.plan import PlannedTrial

logger = logging.getLogger(__name__)

PATIENCE_SECONDS = 60.0
"""How long trials of a look may be missing from the study: another driver may just be writing its plan."""

Later = Callable[[], Sequence[PlannedTrial] | None]
"""Returns the trials of tuned losses, all seeds of them; None until their searches are over."""


def _nothing_later() -> Sequence[PlannedTrial]:
    return ()


def _as_given(trials: Sequence[PlannedTrial]) -> Sequence[PlannedTrial]:
    return trials


@dataclass(frozen=True)
class Ways:
    """How a source does what it does.

    Attributes:
        later: Trials that are not known from the start.
        order: Puts the trials of a look in the order in which they are given out.
        tell: Hears a sentence about every look.
        judge: Judges a block of scores.
    """

    later: Later = _nothing_later
    order: Callable[[Sequence[PlannedTrial]], Sequence[PlannedTrial]] = _as_given
    tell: Callable[[str], None] = logger.info
    judge: Judge = judge_block


_USUAL = Ways()


class UntilDecided:
    """The trials of one dataset: a few seeds of every loss, then looks at test scores that say which more.

    Looks that are in the database are not taken again; so the same command goes on after an interruption,
    and two drivers come to the same end. A look is taken once every trial of it has a result; failed ones
    hold it up until they are tried again.

    Args:
        question: What is asked.
        database: With the results of trials.
        trials: Of all losses that need no tuning first, for as many seeds as the last look wants.
        ways: How.
    """

    def __init__(
        self, question: Question, database: Database, trials: Sequence[PlannedTrial], ways: Ways = _USUAL
    ) -> None:
        self.question = question
        self.ways = ways
        """May be replaced before the first trial is taken."""
        self._database = database
        self._trials: dict[str, dict[int, list[PlannedTrial]]] = {}
        self._seeds: dict[str, int] = {}
        self._given: list[PlannedTrial] = []
        self._waiting: deque[PlannedTrial] = deque()
        self._in_order = True
        self._awaited: set[tuple[str, str]] = set()
        self._failed: set[tuple[str, str]] = set()
        self._dropped: set[str] = set()
        self._all_known = False
        self._missing_since: float | None = None
        self.stages: list[StageRecord] = []
        """The looks that were taken, in order."""
        self._begin(trials)
        self._hear_of_later_ones()
        self._replay()

    @property
    def known(self) -> list[PlannedTrial]:
        """All trials that it has given out, or will before the next look."""
        return list(self._given)

    @property
    def is_settled(self) -> bool:
        """Whether a look has ended the training on this dataset."""
        return bool(self.stages) and self.stages[-1].is_last

    @property
    def is_held_up(self) -> bool:
        """Whether a look is due that failed trials hold up."""
        return self._is_due and bool(self._failed)

    @property
    def exhausted(self) -> bool:
        """Whether no trial will come any more."""
        return not self._waiting and (self.is_settled or self.is_held_up)

    @property
    def cells(self) -> Mapping[Cell, int]:
        """Trials so far, and the first ones of losses that are still tuned."""
        found = Counter(map(cell_of, self._given))
        if not self._all_known:
            first = self.question.looks.seeds[0] * self.question.folds
            for label in self.question.arms:
                if label not in self._seeds:
                    found[Cell(self.question.dataset, label)] = first
        return found

    @property
    def expected(self) -> int:
        """How many that are."""
        return sum(self.cells.values())

    def take(self) -> PlannedTrial | None:
        """Return a trial of the next look; take the look first, if all trials before it have a result."""
        if not self._waiting:
            self._hear_of_later_ones()
            if self._is_due and not self._failed:
                patiently(self._look, self.ways.tell)
        if not self._waiting:
            return None
        if not self._in_order:
            self._waiting, self._in_order = deque(self.ways.order(list(self._waiting))), True
        planned = self._waiting.popleft()
        self._awaited.add(_place(planned))
        return planned

    def judges(self, planned: PlannedTrial) -> bool:
        """Every trial is trained to its end."""
        return False

    def goes_on(self, planned: PlannedTrial, epoch: int, val_dsc: float) -> bool:
        """So it is."""
        return True

    def learns(self, planned: PlannedTrial) -> bool:
        """Whether all is there that the next look waits for: it may bring further trials."""
        return self._is_due

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Hear how a trial ended."""
        self._awaited.discard(_place(planned))
        if result.state == "failed":
            self._failed.add(_place(planned))
        if self.is_held_up:
            self.ways.tell(
                f"{self.question.dataset}: look {self._number} waits for {len(self._failed)} failed trials; "
                "give the same command with --retry-failed, or leave their loss out of the study"
            )

    @property
    def _number(self) -> int:
        """Of the look that is next, from 1."""
        return len(self.stages) + 1

    @property
    def _is_due(self) -> bool:
        return self._all_known and not self.is_settled and not self._waiting and not self._awaited

    def _standing(self) -> Standing:
        # A search may have found nothing to train: its loss had no seeds.
        seeds = {label: self._seeds.get(label, 0) for label in self.question.arms}
        alive = [label for label in self.question.arms if label not in self._dropped and seeds[label]]
        return Standing(len(self.stages), seeds, tuple(alive), self.known)

    def _begin(self, trials: Sequence[PlannedTrial]) -> None:
        """Note the trials of some losses, and give out those of the first look."""
        labels = dict.fromkeys(each.label for each in trials)
        for each in trials:
            self._trials.setdefault(each.label, {}).setdefault(each.trial.seed, []).append(each)
        self._give(dict.fromkeys(labels, self.question.looks.seeds[0]))

    def _give(self, wanted: Mapping[str, int]) -> None:
        """Give losses further seeds, up to so many in total: seed by seed."""
        more = [
            planned
            for seed in range(max(wanted.values(), default=0))
            for label, seeds in wanted.items()
            if self._seeds.get(label, 0) <= seed < seeds
            for planned in self._trials[label].get(seed, ())
        ]
        for label, seeds in wanted.items():
            self._seeds[label] = max(self._seeds.get(label, 0), seeds)
        self._given += more
        self._waiting += more
        self._in_order = False

    def _hear_of_later_ones(self) -> None:
        if self._all_known:
            return
        later = self.ways.later()
        if later is not None:
            self._all_known = True
            self._begin(later)

    def _replay(self) -> None:
        """Go through the looks that were taken before."""
        if not self._all_known:
            return
        taken = {each.question: each for each in read_stages(self._database, self.question.study)}
        while not self.is_settled:
            found = taken.get(digest_of_question(self.question, self._standing()))
            if found is None:
                return
            self._go_on_from(found)

    def _look(self) -> None:
        try:
            stage = take_look(self._database, self.question, self._standing(), self.ways.judge)
        except OtherPlan:
            now = time.monotonic()
            self._missing_since = self._missing_since or now
            if now - self._missing_since > PATIENCE_SECONDS:
                raise InputError(
                    f"study {self.question.study!r} was run with another plan meanwhile, so its scores "
                    "cannot be judged; let one command run at a time, then give this one again"
                ) from None
            return
        self._missing_since = None
        self._go_on_from(stage)
        self.ways.tell(stage.sentence)

    def _go_on_from(self, stage: StageRecord) -> None:
        self.stages.append(stage)
        self._dropped |= {*stage.dropped}
        if not stage.is_last:
            self._give({label: seeds for label, seeds in stage.wanted.items() if label in self._trials})


def _place(planned: PlannedTrial) -> tuple[str, str]:
    return planned.label, planned.trial.key
