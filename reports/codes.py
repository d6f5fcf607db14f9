"""Codes of figures and tables: F1 to F16 and T1 to T7 of a report, and supplements."""

import re

_CODE = re.compile(r"([A-Z]+)(\d+)")


def code_order(code: str) -> tuple[str, int]:
    """Return what sorts codes as readers count: F2 before F10.

    >>> sorted(["F10", "FS1", "F2"], key=code_order)
    ['F2', 'F10', 'FS1']

    Raises:
        ValueError: if it is not letters and a number (a programming error).
    """
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"code {code!r} is not letters and a number")
    return found[1], int(found[2])
