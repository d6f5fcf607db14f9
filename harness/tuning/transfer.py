"""Take alpha schedules that another study has tuned."""

import json
from collections.abc import Sequence

from harness.errors import InputError, nearest
from harness.store.database import Database
from harness.study.loss_entry import FromStudy, LossEntry
from harness.study.spec import Study
from harness.tuning.history import SearchHistory, load_searches


def with_transfers(study: Study, database: Database | None) -> Study:
    """Return a study in which every ``alpha: {from_study: ...}`` is the schedule that was found there.

    The schedule says in ``tuned_in`` whose it is; it moves no trial key.

    Args:
        study: The study.
        database: With the other study's searches; None: there is none yet.

    Raises:
        InputError: if there is no such search, several fit, or it is not finished.
    """
    if all(entry.transfer is None for entry in study.losses):
        return study
    entries = [
        entry if entry.transfer is None else _resolved(study, entry, entry.transfer, database)
        for entry in study.losses
    ]
    document = study.model_dump(mode="json", exclude={"losses"})
    losses = [entry.model_dump(mode="json") for entry in entries]
    return Study.model_validate_json(json.dumps({**document, "losses": losses}), strict=True)


def _resolved(study: Study, entry: LossEntry, wanted: FromStudy, database: Database | None) -> LossEntry:
    where = f"study {study.study!r}: alpha of {entry.label!r}"
    if wanted.from_study == study.study:
        raise InputError(f"{where} comes from the study itself; write 'alpha: tune'")
    searches = [] if database is None else load_searches(database, wanted.from_study)
    search = _the_one(searches, entry, wanted, where)
    best = search.best
    if not search.finished:
        raise InputError(
            f"{where}: the search {search.place!r} is not finished; "
            f"run 'lossbench tune {wanted.from_study}' first"
        )
    if best is None or best.alpha is None:
        raise InputError(f"{where}: the search {search.place!r} has found no alpha schedule")
    on = {} if wanted.on is None else {"on": wanted.on}
    return entry.with_alpha({**best.alpha, **on, "tuned_in": search.place})


def _the_one(
    searches: Sequence[SearchHistory], entry: LossEntry, wanted: FromStudy, where: str
) -> SearchHistory:
    """Return the search that is meant."""
    if not searches:
        raise InputError(
            f"{where}: this database has no search of a study {wanted.from_study!r}; "
            f"run 'lossbench tune {wanted.from_study}' first, in the same database"
        )
    found = list(searches)
    if wanted.loss is None:  # what has the same parts is meant, if anything does
        parts = tuple(term.name for term in entry.like().terms)
        found = [each for each in found if each.parts == parts] or found
    for key, attribute in (("loss", "label"), ("dataset", "dataset"), ("fold", "fold")):
        value = getattr(wanted, key)
        known = sorted({getattr(each, attribute) for each in found})
        listed = ", ".join(map(str, known))
        if value is None and len(known) > 1:
            raise InputError(
                f"{where}: study {wanted.from_study!r} has tuned several; add {key!r}, one of {listed}"
            )
        if value is not None and value not in known:
            hint = nearest(str(value), map(str, known)) or f"; it has {listed}"
            raise InputError(f"{where}: study {wanted.from_study!r} has tuned no {key} {value!r}{hint}")
        found = [each for each in found if value in {None, getattr(each, attribute)}]
    return found[0]
