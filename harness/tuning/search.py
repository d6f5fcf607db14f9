"""One search: the alpha schedule of one loss on one fold of one dataset."""

import hashlib
import json
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import astuple
from typing import Any

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from harness.errors import InputError
from harness.losses import parse_loss
from harness.scheduling.progress import Cell
from harness.scheduling.trial_source import TrialResult
from harness.store.database import Database
from harness.store.privacy import without_secrets
from harness.store.schema import FINAL_STATES
from harness.study.plan import PlannedTrial, StudyDataset, cell_trials, plan_trial
from harness.study.spec import LossEntry, Study
from harness.tuning.spaces import ALPHA_SPACES

logger = logging.getLogger(__name__)

SEARCH_SEED = 0
"""Seed index of all configurations; winners are then trained with every seed of the study."""

OPTUNA_SCHEMA = "optuna"
"""Of its tables on PostgreSQL."""

TIMEOUT_SECONDS = 60
"""How long Optuna waits for another writer, or for the server."""

_ATTEMPTS = 3
_ALPHA = "alpha"


def open_storage(database: Database) -> RDBStorage:
    """Return Optuna's storage in the results database: beside our tables, never among them.

    In a SQLite file its tables have other names than ours; on PostgreSQL they have a schema of their own.

    Raises:
        InputError: if it cannot be opened; the database's password is not told.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    postgresql = database.engine.dialect.name == "postgresql"
    if postgresql:
        _make_schema(database)
    # Optuna sees no password, so none of its messages can show one; and it fills in braces.
    url = database.engine.url._replace(password=None).render_as_string(hide_password=False)
    url = url.replace("{", "{{").replace("}", "}}")
    arguments = _postgresql_arguments(database) if postgresql else {"timeout": TIMEOUT_SECONDS}
    for _ in range(_ATTEMPTS):
        try:
            return RDBStorage(url, {"connect_args": arguments, "pool_pre_ping": True})
        except DBAPIError as error:  # another driver may be making the same tables at this moment
            lines = str(error.orig).strip().splitlines() or [type(error.orig).__name__]
            time.sleep(1.0)
    raise InputError(f"cannot open Optuna's tables in database {database.shown}: {without_secrets(lines[0])}")


def _make_schema(database: Database) -> None:
    """Make Optuna's schema, in a transaction of ours that ends before Optuna begins."""
    with database.read() as connection:
        if inspect(connection).has_schema(OPTUNA_SCHEMA):
            return  # "if not exists" asks for the right to create, which an account may not have
    with database.write() as connection:
        connection.execute(CreateSchema(OPTUNA_SCHEMA, if_not_exists=True))


def _postgresql_arguments(database: Database) -> dict[str, Any]:
    url = database.engine.url
    given = url.query.get("options", ())
    options = [given] if isinstance(given, str) else [*given]
    options += [f"-c search_path={OPTUNA_SCHEMA}", f"-c lock_timeout={TIMEOUT_SECONDS}s"]
    password = {} if url.password is None else {"password": url.password}
    return {"options": " ".join(options), "connect_timeout": TIMEOUT_SECONDS, **password}


def search_prefix(study: str) -> str:
    """Return how the names of a study's searches begin."""
    return f"{study} / "


class AlphaSearch:
    """Random search over alpha schedules, then the study's trials with the winner.

    Every configuration is trained to the end with the study's protocol and judged by its best
    validation DSC. A search goes on where it stopped: configurations without a result are given
    out again, finished ones are never asked twice.

    Args:
        study: The study; its ``tuning.configurations`` is the budget.
        dataset: Where to tune.
        entry: Loss with ``alpha: tune``.
        fold: Fold whose training and validation patients are used; its test patients never are.
        storage: From :func:`open_storage`.
    """

    def __init__(
        self, study: Study, dataset: StudyDataset, entry: LossEntry, fold: int, storage: RDBStorage
    ) -> None:
        self._study, self._dataset, self._entry, self._fold = study, dataset, entry, fold
        self._budget = study.tuning.configurations
        self._name = self._search_name()
        self._optuna = optuna.create_study(
            study_name=self._name, storage=storage, direction="maximize", load_if_exists=True
        )
        self._awaited: dict[str, list[int]] = {}
        self._again = deque(trial for trial in self._configurations() if trial.state == TrialState.RUNNING)
        told = sum(trial.state.is_finished() for trial in self._configurations())
        self._open_at_start = self._budget - told
        self._winners: deque[PlannedTrial] | None = None
        self._gave_up = False

    @property
    def cells(self) -> Mapping[Cell, int]:
        """Configurations that had no result when the search was opened, and the winner's trials."""
        where = self._dataset.name, self._entry.label
        return {
            Cell(*where, "search"): self._open_at_start,
            Cell(*where, "study"): len(self._study.chosen_seeds),
        }

    @property
    def expected(self) -> int:
        """How many that are together."""
        return sum(self.cells.values())

    @property
    def exhausted(self) -> bool:
        """Whether the winner's trials have all been given out."""
        return self._gave_up or (self._winners is not None and not self._winners)

    def take(self) -> PlannedTrial | None:
        """Return the next configuration, or the next trial of the winner once all are judged."""
        if self._again:
            return self._give(self._again.popleft())
        if len(self._configurations()) < self._budget:
            return self._give(self._ask())
        if self._awaited:
            return None
        if self._winners is None and not self._gave_up:
            self._freeze()
        return self._winners.popleft() if self._winners else None

    def report(self, planned: PlannedTrial, result: TrialResult) -> None:
        """Tell Optuna the validation DSC of a configuration; a diverged one counts 0."""
        for number in self._awaited.pop(planned.trial.key, []):
            if result.state in FINAL_STATES:
                self._optuna.tell(number, result.best_val_dsc or 0.0)
            else:
                self._optuna.tell(number, state=TrialState.FAIL)

    def _configurations(self) -> list[FrozenTrial]:
        """Those asked so far, up to the budget; one whose asking was cut short is none."""
        asked = self._optuna.get_trials(deepcopy=False)
        return [trial for trial in asked if _ALPHA in trial.user_attrs][: self._budget]

    def _ask(self) -> FrozenTrial:
        asked = len(self._optuna.get_trials(deepcopy=False))
        # A sampler that starts with the same seed repeats itself: derive it from the count.
        entropy = hashlib.sha256(f"{self._name}/{asked}".encode()).digest()
        self._optuna.sampler = optuna.samplers.RandomSampler(seed=int.from_bytes(entropy[:4], "big"))
        trial = self._optuna.ask()
        alpha: dict[str, Any] = {"schedule": trial.suggest_categorical("schedule", list(ALPHA_SPACES))}
        for name, space in ALPHA_SPACES[alpha["schedule"]].items():
            parameter = f"{alpha['schedule']}.{name}"
            alpha[name] = trial.suggest_float(parameter, space.low, space.high, log=space.log)
        trial.set_user_attr(_ALPHA, alpha)
        return self._optuna.get_trials(deepcopy=False)[trial.number]

    def _give(self, configuration: FrozenTrial) -> PlannedTrial:
        planned = self._plan(configuration.user_attrs[_ALPHA])
        self._awaited.setdefault(planned.trial.key, []).append(configuration.number)
        return planned

    def _plan(self, alpha: dict[str, Any]) -> PlannedTrial:
        loss = parse_loss(self._entry.loss, alpha)
        return plan_trial(
            self._study, self._dataset, self._entry.label, loss, SEARCH_SEED, self._fold, purpose="search"
        )

    def _freeze(self) -> None:
        finished = [trial for trial in self._configurations() if trial.state == TrialState.COMPLETE]
        if not finished:
            logger.warning("%s: every configuration failed, so its trials cannot be trained", self._name)
            self._gave_up = True
            return
        best = max(finished, key=lambda trial: (trial.value or 0.0, -trial.number))
        alpha = best.user_attrs[_ALPHA]
        logger.info("%s: chose %s, validation DSC %.3f", self._name, json.dumps(alpha), best.value)
        loss = parse_loss(self._entry.loss, alpha)
        self._winners = deque(cell_trials(self._study, self._dataset, self._entry, loss, self._fold))

    def _search_name(self) -> str:
        """Name the search by all that its result depends on but the budget."""
        probe = self._plan({"schedule": "constant"}).trial.canonical()
        spaces = {
            name: {key: astuple(each) for key, each in space.items()} for name, space in ALPHA_SPACES.items()
        }
        digest = hashlib.sha256(json.dumps([probe, spaces], sort_keys=True).encode()).hexdigest()[:12]
        place = f"{self._dataset.name} / fold {self._fold} / {self._entry.label} / {digest}"
        return f"{search_prefix(self._study.study)}{place}"
