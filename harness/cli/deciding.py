"""Running until the scores have decided: what is asked, and the sources that ask it."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.answering.asked import analysis_plan
from harness.answering.judging import Question
from harness.answering.shown import arm_labels, checkpoint_of
from harness.answering.until_decided import UntilDecided, Ways
from harness.data.splits import folds
from harness.errors import InputError
from harness.statistics.block import MIN_SEEDS
from harness.statistics.stages import Looks, planned_looks
from harness.store.database import Database
from harness.store.stages import read_stages
from harness.study.plan import PlannedTrial, StudyDataset, fixed_trials
from harness.study.seeds import INNER_SEED
from harness.study.spec import Study
from harness.study.variants import rows

if TYPE_CHECKING:
    from harness.tuning.search import Search

_AS_IT_IS = Ways()

LEAST_MAX_SEEDS = 10
"""So many seeds a loss may get where the study asks for fewer than half of them."""


def most_seeds(study: Study, max_seeds: int | None) -> int:
    """Return how many seeds a loss may get: twice those of the study and at least ten, unless it is said.

    Raises:
        InputError: if the study cannot be run until it is decided.
    """
    name = f"study {study.study!r}"
    if study.only.seeds is not None or study.only.folds is not None:
        raise InputError(
            f"{name}: --until-decided chooses the seeds itself and needs all folds; take 'only' out of it"
        )
    if study.evaluation == "validation":
        raise InputError(
            f"{name}: --until-decided compares losses by patients that no seed has trained with, but "
            "validation patients change with the seed; set 'evaluation: test'"
        )
    if len(arm_labels(study.model_dump(mode="json"))) < 2:
        raise InputError(f"{name} has one loss, so there is nothing to decide; add another one")
    most = max(LEAST_MAX_SEEDS, 2 * study.seeds) if max_seeds is None else max_seeds
    if not MIN_SEEDS <= most <= INNER_SEED:
        raise InputError(
            f"--max-seeds {most}: give at least {MIN_SEEDS}, without which no variance between seeds is known"
        )
    return most


def looks_of(study: Study, most: int) -> Looks:
    """Return when a study is looked at."""
    return planned_looks(most, study.analysis.alpha)


def with_seeds(study: Study, seeds: int) -> Study:
    """Return the study with another number of seeds."""
    return study.model_copy(update={"seeds": seeds})


def open_stages(
    study: Study,
    datasets: Sequence[StudyDataset],
    database: Database,
    searches: Sequence["Search"],
    most: int,
    ways: Ways = _AS_IT_IS,
) -> list[UntilDecided]:
    """Return the source of every dataset, those first that were looked at before.

    Args:
        study: As declared.
        datasets: Those that are prepared.
        database: With what was decided so far.
        searches: Of tuned losses, opened for as many seeds as ``most``.
        most: Seeds that a loss gets at most.
        ways: Order of trials, and who hears of looks.
    """
    wide, resolved = with_seeds(study, most), study.model_dump(mode="json")
    expressions = {row.label: row.entry.like().expression for row in rows(study)}
    expressions |= {entry.label: entry.like().expression for entry in study.losses}
    plan = analysis_plan(resolved, expressions, [each.name for each in datasets])
    return [
        UntilDecided(
            Question(
                study.study,
                dataset.name,
                len(folds(dataset.split)),
                arm_labels(resolved),
                checkpoint_of(resolved),
                plan,
                looks_of(study, most),
            ),
            database,
            fixed_trials(wide, [dataset]),
            Ways(
                partial(_winners, [each for each in searches if each.plan.dataset.name == dataset.name]),
                ways.order,
                ways.tell,
                ways.judge,
            ),
        )
        for dataset in datasets
    ]


def other_looks(study: Study, most: int, database: Database) -> list[str]:
    """Return a sentence if the study was looked at by another plan of looks."""
    planned = looks_of(study, most).seeds
    before = {each.planned for each in read_stages(database, study.study)} - {planned}
    return [
        f"study {study.study!r} was looked at with another plan ({_listed(seeds)} seeds, now "
        f"{_listed(planned)}): a plan that is changed after a look holds its level only roughly"
        for seeds in sorted(before)
    ]


def runs_of(study: Study, folder: Path) -> int:
    """Return the number of trials of one seed: losses on every fold of every dataset.

    Args:
        study: Which.
        folder: Against which the paths of manifests are read.
    """
    parts = sum(len(folds(entry.describe(folder).chosen_split)) for entry in study.dataset_entries)
    return parts * len(arm_labels(study.model_dump(mode="json")))


def describe_looks(study: Study, most: int, trials_per_seed: int) -> str:
    """Return what a run until decided would do, in a sentence.

    Args:
        study: Which.
        most: Seeds that a loss gets at most.
        trials_per_seed: From :func:`runs_of`.
    """
    looks = looks_of(study, most)
    return (
        f"until decided: looks at {_listed(looks.seeds)} seeds; at least {looks.seeds[0] * trials_per_seed} "
        f"trials (above), at most {most * trials_per_seed}"
    )


def _winners(searches: "Sequence[Search]") -> Sequence[PlannedTrial] | None:
    """Return the trials of what searches have found, all seeds; None until all are over."""
    if not all(search.is_over for search in searches):
        return None
    return [trial for search in searches for trial in search.known if trial.trial.purpose == "study"]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
