"""Tuned studies to do something to, and what must be true of their searches afterwards."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from harness.store.artifacts import wrong_files
from harness.store.database import Database
from harness.store.integrity import faults
from harness.store.schema import EpochRow, TrialRow
from harness.tuning.history import SearchHistory, load_searches
from harness.tuning.storage import OPTUNA_SCHEMA
from tests.faults import held_losses
from tests.faults.drivers import Study, database_of, driver

CONFIGURATIONS, EPOCHS = 6, 3
BUDGET = CONFIGURATIONS * EPOCHS
RANDOM = "{losses: all, configurations: 6}"
PRUNED = (
    "{losses: all, configurations: 6, sampler: {name: tpe, startup: 3}, "
    "pruner: {name: median, startup: 2, warmup: 0.3}}"
)
STUDY = """\
study: tuned
datasets: [{manifest}]
seeds: 1
protocol: {{epochs: 3, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses: [{losses}]
tuning: {tuning}
"""
LOSS = '{{label: {}, loss: "held_losses:Held"}}'


@dataclass(frozen=True)
class TunedStudy(Study):
    """A study whose trainings wait at the gate."""

    def command(self, *options: object) -> list[object]:
        """Return what follows ``lossbench``: the searches alone."""
        return ["tune", self.file, "--data", self.data, *options]

    @property
    def pruned(self) -> bool:
        """Whether configurations are ended early."""
        return "pruner" in self.file.read_text()

    @property
    def undisturbed(self) -> "Tried":
        """What one worker finds if nothing happens."""
        return undisturbed(self.file.read_text(), self.data)


def tuned_study(folder: Path, data: Path, environment: pytest.MonkeyPatch, tuning: str) -> TunedStudy:
    """Write a study that tunes one loss, and let every process that is started find it.

    Args:
        folder: Where.
        data: The data root.
        environment: Of the processes.
        tuning: Its tuning block.
    """
    study = TunedStudy(folder / "tuned.yaml", data, folder / "gate")
    losses = LOSS.format("CE")
    study.file.write_text(STUDY.format(manifest=data / "discs.yaml", losses=losses, tuning=tuning))
    environment.setenv("PYTHONPATH", str(Path(__file__).parent), prepend=":")
    environment.setenv(held_losses.GATE, str(study.gate))
    return study


_SEARCHED = TrialRow.purpose == "search"
Tried = list[tuple[Mapping[str, Any], str, float | None, int]]


def tried_in(history: SearchHistory) -> Tried:
    """Return what was drawn and what came of it, in the order of asking."""
    return [(each.parameters, each.state, each.value, each.epochs) for each in history.tried]


@cache
def undisturbed(study: str, data: Path) -> Tried:
    """Return what one worker finds that nothing happens to.

    Args:
        study: Text of the study file.
        data: The data root.
    """
    with tempfile.TemporaryDirectory(prefix="undisturbed-") as name:
        folder = Path(name)
        (folder / "tuned.yaml").write_text(study)
        with driver(["tune", "tuned.yaml", "--data", data, "--local"], folder) as alone:
            code, _ = alone.end()
        assert code == 0, alone.said
        (history,) = whole_searches(folder)
        return tried_in(history)


def whole_searches(folder: Path, url: str | None = None, searches: int = 1) -> list[SearchHistory]:
    """Return the searches of a folder's database, after a check that each has spent exactly its budget.

    No configuration is lost, counted twice or left running, whether in Optuna's tables or in ours.

    Args:
        folder: Where the drivers ran.
        url: Of the database, if it is not the file in that folder.
        searches: How many there are.
    """
    with database_of(folder, url) as database:
        histories = load_searches(database, "tuned")
        assert len(histories) == searches
        assert {state for state, _ in optuna_states(database)} <= {"COMPLETE", "PRUNED", "FAIL"}
        with database.read() as connection:
            curves = select(TrialRow.key, func.count(EpochRow.epoch)).join(
                EpochRow, EpochRow.trial_id == TrialRow.id, isouter=True
            )
            rows = connection.execute(curves.where(_SEARCHED).group_by(TrialRow.key)).all()
            trials = connection.execute(select(TrialRow.state, TrialRow.lease_owner).where(_SEARCHED)).all()
        trained = dict(map(tuple, rows))
        keys = [key for history in histories for each in history.tried for key in each.keys]
        assert sorted(keys) == sorted(trained)  # one training for each configuration, and no other
        assert {(state, owner) for state, owner in trials} <= {("done", None), ("pruned", None)}
        for history in histories:
            assert history.finished
            assert [each.epochs for each in history.tried] == [
                sum(trained[key] for key in each.keys) for each in history.tried
            ]
            assert sum(each.epochs for each in history.tried) == BUDGET
            if history.pruner == "none":
                assert [each.state for each in history.tried] == ["complete"] * CONFIGURATIONS
            else:
                assert {each.state for each in history.tried} <= {"complete", "pruned"}
        assert faults(database) == []
        assert wrong_files(database, folder / "lossbench-home" / "artifacts") == []
        return histories


def second_attempts(folder: Path, url: str | None = None) -> int:
    """Return how often a configuration's training was begun again.

    Args:
        folder: Where the drivers ran.
        url: Of the database, if it is not the file in that folder.
    """
    with database_of(folder, url) as database, database.read() as connection:
        return sum(begun - 1 for begun in connection.scalars(select(TrialRow.attempts).where(_SEARCHED)))


def optuna_states(database: Database) -> list[tuple[str, int]]:
    """Return how many configurations Optuna's own tables have in each state."""
    tables = f"{OPTUNA_SCHEMA}." if database.dialect == "postgresql" else ""
    question = text(f"SELECT state, count(*) FROM {tables}trials GROUP BY state ORDER BY state")
    with database.read() as connection:
        return [(str(state), int(number)) for state, number in connection.execute(question)]
