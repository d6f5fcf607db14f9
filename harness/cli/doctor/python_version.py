"""Python and lossbench itself."""

import platform
import sys
from collections.abc import Iterator

from harness import __version__
from harness.cli.doctor.base import Finding, Setup, check

LOWEST = (3, 11)


@check("python", "software")
def look(_setup: Setup) -> Iterator[Finding]:
    """Tell the versions."""
    yield judge(sys.version_info[:3], platform.python_implementation())
    yield Finding(f"lossbench {__version__}")


def judge(version: tuple[int, int, int], implementation: str) -> Finding:
    """Return what is to be said of a version of Python."""
    told = f"{implementation} {'.'.join(map(str, version))}"
    if version < LOWEST:
        wanted = ".".join(map(str, LOWEST))
        return Finding(told, "broken", f"install Python {wanted} or newer and make a new environment with it")
    if implementation != "CPython":
        return Finding(told, "warning", "use CPython, the only one that torch and Ray are built for")
    return Finding(told)
