"""Find a trial by the beginning of its key."""

from sqlalchemy import Connection, func, select

from harness.errors import InputError
from harness.store.schema import TrialRow

SHORTEST_PREFIX = 6
SHOWN = 12
"""Characters of a key that tables show."""


def full_key(connection: Connection, trial: str, hint: str) -> str:
    """Return the key of the only trial whose key begins so.

    Args:
        connection: To the results.
        trial: A key or the beginning of one, in capitals or not.
        hint: Half a sentence that tells where keys are listed.

    Raises:
        InputError: if no trial or several begin so, or too little of the key is given.
    """
    wanted = trial.strip().lower()
    if len(wanted) < SHORTEST_PREFIX:
        raise InputError(f"trial {trial!r}: give at least {SHORTEST_PREFIX} characters of its key; {hint}")
    begins = func.substr(TrialRow.key, 1, len(wanted)) == wanted
    keys = list(connection.scalars(select(TrialRow.key).where(begins).order_by(TrialRow.key)))
    if not keys:
        raise InputError(f"no trial {trial!r} in the database; {hint}")
    if len(keys) > 1:
        some = ", ".join(_distinct(keys[:2]))
        raise InputError(f"{len(keys)} trials begin with {trial!r} ({some}); give more of the key")
    return keys[0]


def _distinct(keys: list[str]) -> list[str]:
    """Shorten keys as far as they still differ."""
    same = next((place for place, pair in enumerate(zip(*keys, strict=False)) if len(set(pair)) > 1), SHOWN)
    return [key[: max(SHOWN, same + 1)] for key in keys]
