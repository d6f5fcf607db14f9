"""Segmentation losses, alpha schedules, and how study files write them.

Here live the losses (one class each: ``distribution``, ``region``, ``boundary``, ``compound``), the
schedules of the weight inside a compound (``alpha``), and the way from a study's words to a canonical
specification and a module (``expression``). Tensors come in and a scalar goes out; files, datasets and
trainers are unknown here.

Every module of this folder is imported below: a loss is known as soon as its file lies here.

    >>> parse_loss("0.8*dice + 0.2*ce").expression
    '0.8*dice + 0.2*ce'
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

from harness.losses.alpha import ALPHA_SCHEDULES, Alpha, Schedule, unfinished  # noqa: E402
from harness.losses.base import LOSSES, Loss, register  # noqa: E402
from harness.losses.batch import Batch  # noqa: E402
from harness.losses.compound import ALIASES, Alias, CombinedLoss  # noqa: E402
from harness.losses.expression import LossSpec, Term, parse_loss  # noqa: E402
from harness.losses.plugins import load_entry_points  # noqa: E402

__all__ = [
    "ALIASES",
    "ALPHA_SCHEDULES",
    "LOSSES",
    "Alias",
    "Alpha",
    "Batch",
    "CombinedLoss",
    "Loss",
    "LossSpec",
    "Schedule",
    "Term",
    "load_entry_points",
    "parse_loss",
    "register",
    "unfinished",
]
