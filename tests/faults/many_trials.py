"""A driver of trials that train nothing and all end at once: ``python -m tests.faults.many_trials``."""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.training.job import CaseScore, EpochRecord, EpochScore, Event, Finished, Started, TrainingJob

STUDY = """\
study: many
datasets: [msd_hippocampus]
seeds: {seeds}
losses: [{{label: CE, loss: ce}}, {{label: Dice, loss: dice}}]
"""
EPOCHS = 10
CASES = tuple(f"case{number}" for number in range(20))
METRIC_NAMES = ("dsc", "hd95")
FINGERPRINT = "f" * 64
GO = "go"
"""A file among the artifacts: no trial ends before it is there."""


def value_of(key: str, case: str) -> float:
    """Return the score that a trial gives a case."""
    return int(key[:8], 16) % 1000 / 1000 + CASES.index(case)


def train(job: TrainingJob) -> Iterator[Event]:
    """Yield a whole result as soon as all may, at the beginning of a second, as all other workers do."""
    yield Started({"device": "none"}, 0)
    epochs = []
    for epoch in range(EPOCHS):
        score = EpochScore(1, "dsc", 0.5, 0)
        epochs.append(EpochRecord(epoch, 0.5, 0.6, 1e-3, None, None, 0.1, scores=(score,)))
        yield epochs[-1]
    scores = [
        CaseScore(case, "test", checkpoint, 1, metric, value_of(job.key, case), value_of(job.key, case), None)
        for case in CASES
        for checkpoint in ("best", "last")
        for metric in METRIC_NAMES
    ]
    while not (job.folder.parent / GO).exists():
        time.sleep(0.01)
    time.sleep(1 - time.time() % 1)
    yield Finished("done", None, None, False, 0, 0.6, tuple(epochs), tuple(scores), {}, "none", 1.0)


def main(url: str, folder: str, seeds: int, workers: int) -> None:
    """Run all trials and tell the summary.

    Args:
        url: Of the database.
        folder: For artifacts.
        seeds: Half the number of trials.
        workers: Of Ray; 0: in this process.
    """
    # Here, as workers import this module and need none of it.
    from harness.data.splits import HoldoutSplit
    from harness.metrics import METRICS
    from harness.scheduling.cluster.pool import PoolOptions, RayExecutor
    from harness.scheduling.driver import Driver
    from harness.scheduling.inline import InlineExecutor
    from harness.scheduling.progress import Progress
    from harness.scheduling.trial_forms import Folders, record_of
    from harness.scheduling.trial_source import PlanSource
    from harness.store.database import open_database
    from harness.store.datasets import DatasetRecord, register_dataset
    from harness.store.ownership import new_owner
    from harness.store.trials import TrialStore
    from harness.strict_yaml import read, validate
    from harness.study.plan import StudyDataset, fixed_trials
    from harness.study.spec import Study

    study = validate(Study, read(STUDY.format(seeds=seeds), "many.yaml"), "many.yaml")
    name = study.dataset_entries[0].dataset
    store = TrialStore(open_database(url, create=True), new_owner())
    study_id = store.register_study(study.study, "", study.model_dump(mode="json"))
    cases = tuple((f"patient {case}", case, None, (20, 64, 64), (3.0, 1.0, 1.0), (80, 10)) for case in CASES)
    register_dataset(store.database, DatasetRecord(FINGERPRINT, name, "", ("background", "disc"), cases))
    store.register_metrics(METRICS[metric].facts() for metric in METRIC_NAMES)
    planned = list(fixed_trials(study, [StudyDataset(name, FINGERPRINT, HoldoutSplit())]))
    store.register_trials(study_id, map(record_of, planned), restart=True)
    pool = PoolOptions(workers=workers, entry="tests.faults.many_trials:train")
    executor = RayExecutor(pool) if workers else InlineExecutor(train)
    folders = Folders({FINGERPRINT: Path(folder)}, Path(folder))
    try:
        summary = Driver(store, study_id, executor, PlanSource(planned), folders, Progress()).run()
    finally:
        executor.close()
    sys.stdout.write(json.dumps(vars(summary)))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
