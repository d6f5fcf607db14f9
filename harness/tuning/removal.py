"""Forget the searches of a study."""

import optuna

from harness.store.database import Database
from harness.tuning.names import search_prefix
from harness.tuning.storage import has_storage, open_storage


def delete_searches(database: Database, study: str) -> int:
    """Delete the searches of a study from Optuna's tables and return their number.

    Nothing is written where the database has no searches.
    """
    if not has_storage(database):
        return 0
    storage = open_storage(database)
    names = [
        each.study_name
        for each in optuna.get_all_study_summaries(storage, include_best_trial=False)
        if each.study_name.startswith(search_prefix(study))
    ]
    for name in names:
        optuna.delete_study(study_name=name, storage=storage)
    return len(names)
