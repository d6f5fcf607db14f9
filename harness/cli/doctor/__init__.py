"""The checks of ``lossbench doctor``: one module for each topic, found by itself.

A check is a function that takes a :class:`Setup` and yields findings; register it with :func:`check` in a
module of its own in this folder. It runs in a process of its own (``examine``), so it may import what it
likes, raise, hang or change limits; what it writes goes into ``setup.scratch``.
"""

import pkgutil
from importlib import import_module

from harness.cli.doctor.base import CHECKS, Finding, Group, Setup, State, check
from harness.cli.doctor.examine import Diagnosis, examine, scratch_folder

for _module in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = [
    "CHECKS",
    "Diagnosis",
    "Finding",
    "Group",
    "Setup",
    "State",
    "check",
    "examine",
    "scratch_folder",
]
