"""One cell of a plan: a dataset and a loss, with its trials by state."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.cli.preparation import ReadyDataset
from harness.store.database import Database
from harness.store.schema import FINAL_STATES
from harness.store.summaries import known_trials
from harness.study.plan import PlannedTrial


@dataclass(frozen=True)
class PlannedCell:
    """One dataset and loss of a study.

    Attributes:
        dataset: Name of the dataset.
        label: Of the loss.
        trials: How many the study asks for.
        done: Of these, trained before.
        failed: Of these, failed before.
        note: What else there is to know.
        left: What is left to train, the configurations of a tuning among them; empty if the data is not here.
        search_seconds: What is left of tuning budgets in hours, in seconds of one worker.
        ready: The dataset, None if its files are not here.
    """

    dataset: str
    label: str
    trials: int
    done: int = 0
    failed: int = 0
    note: str = ""
    left: tuple[PlannedTrial, ...] = ()
    search_seconds: float = 0.0
    ready: ReadyDataset | None = None

    @property
    def to_run(self) -> int:
        """Trials of the study that are neither done nor failed."""
        return self.trials - self.done - self.failed


def states_of(
    database: Database | None, planned: Sequence[PlannedTrial]
) -> tuple[int, int, tuple[PlannedTrial, ...]]:
    """Return how many trials are done and failed, and those that are neither."""
    states = known_trials(database, [each.trial.key for each in planned]) if database else {}
    done = sum(state in FINAL_STATES for state in states.values())
    failed = sum(state == "failed" for state in states.values())
    ended = {*FINAL_STATES, "failed"}
    return done, failed, tuple(each for each in planned if states.get(each.trial.key) not in ended)
