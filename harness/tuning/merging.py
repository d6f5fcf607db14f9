"""Bring the searches of another database in."""

from collections import Counter
from collections.abc import Mapping
from typing import Literal, TypeAlias

import optuna
from optuna.storages import RDBStorage

from harness.errors import InputError
from harness.store.database import Database
from harness.store.versions import refuse_while_in_use
from harness.tuning import record
from harness.tuning.storage import has_storage, open_storage

SearchFate: TypeAlias = Literal["added", "completed", "equal", "kept"]
"""``completed``: theirs, which has more results, stands in the place of ours; ``kept``: ours has more, or a
run is writing to our database."""


def merge_searches(target: Database, other: Database, dry_run: bool = False) -> Mapping[SearchFate, int]:
    """Bring in the searches that ours lacks, or has with fewer results.

    A search is the same if its name is, which tells all that it depends on but the budget. Its trials are
    brought in by :func:`harness.store.exchange.merging.merge`. Merging again repairs what was cut short.

    Args:
        target: Ours.
        other: Is only read.
        dry_run: Only count.

    Returns:
        Number of their searches by what happens to them; empty if there are none.

    Raises:
        InputError: if Optuna's tables cannot be opened.
    """
    fates: Counter[SearchFate] = Counter()
    if not has_storage(other):
        return fates
    theirs = open_storage(other)
    try:
        found = _finished(theirs)
        if found:
            here = open_storage(target) if has_storage(target) or not dry_run else None
            try:
                _merge(here, theirs, found, _in_use(target), dry_run, fates)
            finally:
                _close(here)
    finally:
        _close(theirs)
    return fates


def _merge(
    here: RDBStorage | None,
    theirs: RDBStorage,
    found: Mapping[str, int],
    in_use: bool,
    dry_run: bool,
    fates: Counter[SearchFate],
) -> None:
    ours = {} if here is None else _finished(here)
    for name, finished in found.items():
        fate = _fate(ours.get(name), finished, in_use)
        fates[fate] += 1
        if dry_run or here is None or fate not in {"added", "completed"}:
            continue
        if fate == "completed":
            optuna.delete_study(study_name=name, storage=here)
        optuna.copy_study(from_study_name=name, from_storage=theirs, to_storage=here)


def _fate(ours: int | None, theirs: int, in_use: bool) -> SearchFate:
    if ours is None:
        return "added"
    if ours == theirs:
        return "equal"
    return "completed" if theirs > ours and not in_use else "kept"


def _finished(storage: RDBStorage) -> dict[str, int]:
    """Return how many configurations have their result, by search."""
    summaries = optuna.get_all_study_summaries(storage, include_best_trial=False)
    names = [each.study_name for each in summaries if record.FACTS in each.user_attrs]
    return {name: _count(optuna.load_study(study_name=name, storage=storage)) for name in names}


def _count(search: optuna.Study) -> int:
    return sum(each.state.is_finished() for each in search.get_trials(deepcopy=False))


def _in_use(database: Database) -> bool:
    """Whether a driver may be asking one of our searches, which then cannot be replaced."""
    with database.read() as connection:
        try:
            refuse_while_in_use(connection)
        except InputError:
            return True
    return False


def _close(storage: RDBStorage | None) -> None:
    if storage is not None:
        storage.engine.dispose()
