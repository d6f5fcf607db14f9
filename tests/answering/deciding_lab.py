"""Studies that run until they are decided, with made-up trainings: the real driver, the real database."""

import random
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.answering.evidence import Evidence, load_evidence
from harness.answering.until_decided import UntilDecided, Ways
from harness.cli.deciding import open_stages, with_seeds
from harness.metrics import METRICS
from harness.scheduling.driver import Driver, Summary
from harness.scheduling.progress import Progress
from harness.scheduling.trial_forms import DriverOptions, Folders, record_of
from harness.scheduling.trial_source import JoinedSources, TakingTurns
from harness.store.database import Database
from harness.store.datasets import DatasetRecord, register_dataset
from harness.store.ownership import new_owner
from harness.store.stages import StageRecord, read_stages
from harness.store.trials import TrialStore
from harness.study.plan import fixed_trials
from harness.study.spec import Study
from harness.training.job import CaseScore, Event, TrainingJob
from tests.tuning import lab as tuning_lab
from tests.tuning.lab import FINGERPRINT, Killed, Workers

PATIENTS = 20
CASES = tuple(
    (f"p{n:02}", f"c{n:02}", None, (1, 40, 40), (5.0, 1.0, 1.0), (1500, 100)) for n in range(PATIENTS)
)
LOSSES = ("ce", "dice", "gdl", "focal")


@dataclass(frozen=True)
class World:
    """What losses are worth: mean DSC by expression, and standard deviations.

    Attributes:
        means: By expression; others have .7.
        case: Between patients, beyond what all losses share.
        seed: Between seeds.
        broken: Trials whose code fails, as (expression, seed).
    """

    means: Mapping[str, float] = field(default_factory=dict)
    case: float = 0.01
    seed: float = 0.005
    broken: frozenset[tuple[str, int]] = frozenset()

    def score(self, expression: str, seed: int, patient: int) -> float:
        shared = 0.1 * _normal("patient", patient)
        own = self.case * _normal(expression, patient) + self.seed * _normal(expression, "seed", seed)
        rest = 0.002 * _normal(expression, seed, patient)
        return min(max(self.means.get(expression, 0.7) + 0.5 * shared + own + rest, 0.0), 1.0)


def _normal(*place: object) -> float:
    return random.Random(zlib.crc32(repr(place).encode())).gauss(0.0, 1.0)


def study_of(**changes: Any) -> Study:
    """Return a small study of four losses."""
    losses = [{"label": name.upper(), "loss": name} for name in LOSSES]
    changes = {"losses": losses, "tuning": {}, "protocol": {"epochs": 2}, "seeds": 5} | changes
    return tuning_lab.study_of(**changes)


class DecidingLab(tuning_lab.Lab):
    """A database in which studies are run until they are decided.

    Args:
        database: Open and empty.
        folder: For artifacts.
        world: What trainings give.
    """

    def __init__(self, database: Database, folder: Path, world: World) -> None:
        self.database, self.folder, self.world = database, folder, world
        self.objective = lambda job, epoch: 0.7
        self.jobs = []
        self._storages = []
        self.notes: list[str] = []
        register_dataset(database, DatasetRecord(FINGERPRINT, "demo", "", ("background", "a"), CASES))

    def decide(
        self,
        study: Study,
        most: int = 10,
        executor: Workers | None = None,
        ways: Ways | None = None,
        retry_failed: bool = False,
    ) -> Summary:
        """Run a study as ``run --until-decided`` does."""
        store = TrialStore(self.database, new_owner())
        store.register_metrics(metric.facts() for metric in METRICS.values())
        study_id = store.register_study(study.study, "", study.model_dump(mode="json"))
        tunes = bool(study.tuning.losses)
        searches = self.searches(with_seeds(study, most), winners=False) if tunes else []
        stages = self.stages_of(study, most, searches, ways or Ways(tell=self.notes.append))
        known = [trial for each in (*searches, *stages) for trial in each.known]
        store.register_trials(study_id, map(record_of, known), restart=True)
        source = JoinedSources([TakingTurns(searches), TakingTurns(stages)])
        return self._drive(store, study_id, source, executor, retry_failed)

    def stages_of(self, study: Study, most: int, searches: Any, ways: Ways) -> list[UntilDecided]:
        return open_stages(study, self._datasets(study), self.database, searches, most, ways)

    def plain(self, study: Study) -> Summary:
        """Run a study as ``run`` does."""
        store = TrialStore(self.database, new_owner())
        store.register_metrics(metric.facts() for metric in METRICS.values())
        study_id = store.register_study(study.study, "", study.model_dump(mode="json"))
        planned = fixed_trials(study, self._datasets(study))
        store.register_trials(study_id, map(record_of, planned), restart=True)
        return self._drive(store, study_id, tuning_lab.PlanSource(planned), None, False)

    def _drive(
        self, store: TrialStore, study_id: int, source: Any, executor: Workers | None, retry_failed: bool
    ) -> Summary:
        folders = Folders({FINGERPRINT: self.folder}, self.folder / "artifacts")
        options = DriverOptions(retry_failed=retry_failed)
        executor = executor or Workers(self.train)
        return Driver(store, study_id, executor, source, folders, Progress(), options).run()

    def killed_deciding(self, study: Study, after: int, workers: int = 1) -> bool:
        """Run a study until its driver is killed after so many epochs; return whether it was."""
        try:
            self.decide(study, executor=Workers(self.train, workers, killed_after=after))
        except Killed:
            return True
        return False

    def train(self, job: TrainingJob) -> Iterator[Event]:
        if (job.loss.expression, job.seed) in self.world.broken:
            self.jobs.append(job)
            raise RuntimeError("this loss cannot be trained")
        yield from super().train(job)

    def _scores(self, job: TrainingJob, value: float) -> Iterator[CaseScore]:
        for place, (_, case, *_rest) in enumerate(CASES):
            score = self.world.score(job.loss.expression, job.seed, place)
            for checkpoint in ("best", "last"):
                yield CaseScore(case, "test", checkpoint, 1, "dsc", score, score, None)
                yield CaseScore(case, "test", checkpoint, 1, "hd95", 40 * (1 - score), 40 * (1 - score), None)

    def stages(self, study: Study) -> list[StageRecord]:
        return read_stages(self.database, study.study)

    def evidence(self, study: Study) -> Evidence:
        return load_evidence(self.database, study.study)

    def seeds_trained(self) -> dict[str, list[int]]:
        """Seeds of every loss that was trained, each once."""
        found: dict[str, list[int]] = {}
        for job in self.jobs:
            found.setdefault(job.loss.expression, []).append(job.seed)
        return {loss: sorted(seeds) for loss, seeds in found.items()}
