"""Turn what a job raised into a failure, where it was raised: exceptions of plug-ins need not travel."""

import errno
import sys
import traceback
from collections.abc import Iterator

from harness.scheduling.executor import Failure, FailureKind

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def failure_of(error: BaseException) -> Failure:
    """Return an exception as a failure with its traceback."""
    kind, culprit = _diagnosis(error)
    return Failure(kind, describe(culprit), "".join(traceback.format_exception(error)))


def describe(error: BaseException) -> str:
    """Return an exception as one line."""
    try:
        lines = str(error).strip().splitlines()
    except Exception:  # code of somebody else
        lines = []
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _diagnosis(error: BaseException) -> tuple[FailureKind, BaseException]:
    """Return the kind of a failure and the exception that tells it; torch hides the one of a full disk."""
    causes = list(_causes(error))
    for each in causes:
        if isinstance(each, OSError) and each.errno in _NO_SPACE:
            return "disk", each
    for each in causes:
        if _says_out_of_memory(each):
            return "memory", each
    return "error", error


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those that it came from."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        found = found.__cause__ or found.__context__


def _says_out_of_memory(error: BaseException) -> bool:
    if isinstance(error, MemoryError):
        return True
    if "torch" not in sys.modules:
        return False
    from harness.training.memory import OutOfMemory, is_out_of_memory

    return isinstance(error, OutOfMemory) or is_out_of_memory(error)
