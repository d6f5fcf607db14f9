"""The results database: the only memory of a study.

``schema`` are the tables, ``database`` opens and migrates, ``trials`` moves trials through their
states under leases, ``frames`` reads tidy pandas frames, ``provenance`` tells which code and
machine made a number. Imports no other room: what is stored comes in as plain values.

:func:`open` gives a notebook the results as frames.
"""

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.store.results import Results


def open(source: "str | PathLike[str]") -> "Results":
    """Open a results database for reading, as pandas frames.

    Args:
        source: A database URL, a SQLite file, or a home folder.

    Raises:
        InputError: if there is none, or it has another version.
    """
    # Late: whoever imports one part of the store should not wait for pandas.
    from harness.store.results import open_results

    return open_results(source)
