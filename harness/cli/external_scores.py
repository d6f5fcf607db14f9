"""Put the scores of somebody's predictions into the results database."""

import re
from dataclasses import dataclass

from harness.cli.home import Home
from harness.cli.scoring import ScoredFolders
from harness.errors import InputError
from harness.metrics import METRICS
from harness.store.database import open_database, open_if_there
from harness.store.datasets import DatasetRecord
from harness.store.external import ExternalScores, StoredScores, store_external
from harness.store.provenance import code_facts, command_line
from harness.training.hardware import hardware_facts

_STUDY_NAME = r"[A-Za-z0-9_+][A-Za-z0-9_.+-]*"


@dataclass(frozen=True)
class Destination:
    """Where scores go: study, name of the network, seed, and name of the dataset if given."""

    study: str
    label: str
    seed: int
    dataset: str | None

    @classmethod
    def of(cls, study: str | None, label: str | None, seed: int, dataset: str | None) -> "Destination | None":
        """Return what the options ask for; None where they ask for no study.

        Raises:
            InputError: if one of them needs another that is absent, or the study's name is none.
        """
        if study is None:
            given = {"--label": label is not None, "--seed": seed != 0, "--dataset": dataset is not None}
            for option in (name for name, is_given in given.items() if is_given):
                raise InputError(f"{option} is for the database; give --study too, or leave it out")
            return None
        if not re.fullmatch(_STUDY_NAME, study):
            raise InputError(
                f"--study {study!r}: letters, digits and _ . + - make a name, . and - not in first place; "
                "choose such a one"
            )
        if not label or not label.strip():
            raise InputError("--study needs --label, the name of the network in tables, such as 'nnU-Net'")
        return cls(study, label.strip(), seed, dataset)


def check_destination(destination: Destination | None, home: Home) -> None:
    """Refuse a database of another version before anything is scored."""
    if destination is not None:
        database = open_if_there(home.database_url)
        if database is not None:
            database.close()


def keep(scored: ScoredFolders, destination: Destination, home: Home, folder: str) -> StoredScores:
    """Store all scores.

    Args:
        scored: With every registered metric.
        destination: Where they go.
        home: Tells the database.
        folder: Name of the folder of truths.

    Raises:
        InputError: as :func:`harness.store.external.store_external`.
    """
    name = destination.dataset or folder
    database = open_database(home.database_url, create=True)
    found = ExternalScores(
        study=destination.study,
        label=destination.label,
        seed=destination.seed,
        dataset=destination.dataset,
        truths=_record(scored, name),
        predictions=scored.predictions,
        metrics=[metric.facts() for metric in METRICS.values()],
        scores=[
            {
                "case": case.case,
                "class_index": score.class_index,
                "metric": score.metric,
                "value": score.value,
                "imputed": score.imputed,
                "reason": score.reason,
            }
            for case in scored.cases
            for score in case.scores
        ],
        environment={**code_facts(), **hardware_facts()},
        command=command_line(),
    )
    try:
        return store_external(database, found)
    finally:
        database.close()


def _record(scored: ScoredFolders, name: str) -> DatasetRecord:
    return DatasetRecord(
        fingerprint=scored.fingerprint,
        name=name,
        title=name,
        classes=("background", *scored.classes),
        cases=tuple(
            (each.patient, each.case, None, each.shape, each.spacing, each.voxels) for each in scored.cases
        ),
    )
