"""Codes of figures and tables: F1 to F16 and T1 to T7 of a report, and supplements."""

import re

_CODE = re.compile(r"([A-Z]+)(\d+)")


def code_order(code: str) -> tuple[bool, str, int]:
    """Return what sorts codes as readers count: F2 before F10, supplements last.

    >>> sorted(["S1", "T10", "T2", "FS1", "F2"], key=code_order)
    ['F2', 'T2', 'T10', 'FS1', 'S1']

    Raises:
        ValueError: if it is not letters and a number (a programming error).
    """
    found = _CODE.fullmatch(code)
    if found is None:
        raise ValueError(f"code {code!r} is not letters and a number")
    return found[1].endswith("S"), found[1], int(found[2])
