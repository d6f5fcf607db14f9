"""Wait for a database that does not answer, instead of losing what there is to write."""

import time
from collections.abc import Callable
from typing import TypeVar

from harness.store.outage import outage

_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.5, 10.0

T = TypeVar("T")


def patiently(action: Callable[[], T], tell: Callable[[str], None]) -> tuple[T, float]:
    """Repeat a question to the database, or a transaction, until it answers.

    Args:
        action: One whole transaction: what failed has written nothing.
        tell: Hears a sentence when the waiting begins and when it ends.

    Returns:
        What ``action`` returned, and the seconds of waiting.
    """
    waited, pause, reason = 0.0, _FIRST_PAUSE_SECONDS, ""
    while True:
        try:
            result = action()
        except Exception as error:
            cause = error.__cause__ or error  # Optuna wraps what the engine raises
            found = outage(error) or outage(cause)
            if found is None:
                raise
            if found != reason:
                tell(f"{found}: results wait until it can be written again")
                reason = found
            began = time.monotonic()
            time.sleep(pause)
            waited += time.monotonic() - began
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)
        else:
            if reason:
                tell("the database can be written again")
            return result, waited
