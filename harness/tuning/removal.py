"""Forget the searches of a study."""

import optuna
from sqlalchemy import inspect

from harness.store.database import Database
from harness.tuning.search import OPTUNA_SCHEMA, open_storage, search_prefix

_OPTUNAS_TABLE = "studies"


def delete_searches(database: Database, study: str) -> int:
    """Delete the searches of a study from Optuna's tables and return their number.

    Nothing is written where the database has no searches.
    """
    inspector = inspect(database.engine)
    schemas = (None, *(name for name in inspector.get_schema_names() if name == OPTUNA_SCHEMA))
    if not any(inspector.has_table(_OPTUNAS_TABLE, schema) for schema in schemas):
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
