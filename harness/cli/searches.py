"""The searches of a study, opened for a run; Optuna is only imported where there are any."""

from typing import TYPE_CHECKING

from harness.errors import InputError
from harness.store.database import Database
from harness.study.plan import StudyDataset, tunes
from harness.study.spec import Study

if TYPE_CHECKING:
    from harness.tuning.search import Search


def open_searches(
    study: Study, datasets: list[StudyDataset], database: Database, *, winners: bool
) -> list["Search"]:
    """Open every search of a study.

    Args:
        study: The study.
        datasets: Those that are prepared.
        database: Where searches are kept.
        winners: Whether the trials of the winners are trained, too.
    """
    if not tunes(study):
        return []
    from harness.tuning.search import Search
    from harness.tuning.search_plan import search_plans
    from harness.tuning.storage import open_storage

    storage = open_storage(database)
    return [Search(plan, database, storage, winners) for plan in search_plans(study, datasets)]


def with_known_schedules(study: Study, database: Database | None) -> Study:
    """Return the study with the schedules that it takes from other studies.

    Raises:
        InputError: if one is not there.
    """
    if all(entry.transfer is None for entry in study.losses):
        return study
    from harness.tuning.transfer import with_transfers

    return with_transfers(study, database)


def with_schedules_that_are_known(study: Study, database: Database | None) -> tuple[Study, list[str]]:
    """Return the study with the schedules of other studies, or as it is and the reason why."""
    try:
        return with_known_schedules(study, database), []
    except InputError as error:
        return study, [str(error)]
