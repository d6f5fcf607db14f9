"""Segmentation losses, alpha schedules, and how study files write them.

Here live the losses, one class each, by family: ``distribution``, ``region`` (with ``generalised_dice``,
``lovasz`` and ``size``), ``boundary``, ``compound`` and ``lesion``; weighted sums (``combined``) and their
well-known names (``aliases``); the schedules of the weight inside a sum (``alpha``); and the way from a
study's words to a canonical specification and a module (``expression``). Tensors come in, and ``needs``
says what may come in precomputed; a scalar goes out. ``search_space`` says what a tuner may draw a parameter
from. Files, datasets and trainers are unknown here.

Every module of this folder is imported below: a loss is known as soon as its file lies here.

    >>> parse_loss("0.8*dice + 0.2*ce").expression
    '0.8*dice + 0.2*ce'
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

from harness.losses.aliases import ALIASES, Alias  # noqa: E402
from harness.losses.alpha import ALPHA_SCHEDULES, Alpha, Schedule, unfinished  # noqa: E402
from harness.losses.base import LOSSES, Loss, Relation, register  # noqa: E402
from harness.losses.batch import Batch  # noqa: E402
from harness.losses.combined import CombinedLoss  # noqa: E402
from harness.losses.expression import LossSpec, Term, parse_loss  # noqa: E402
from harness.losses.plugins import load_entry_points  # noqa: E402
from harness.losses.search_space import Choice, Real, Space, Spaces, Whole  # noqa: E402

__all__ = [
    "ALIASES",
    "ALPHA_SCHEDULES",
    "LOSSES",
    "Alias",
    "Alpha",
    "Batch",
    "Choice",
    "CombinedLoss",
    "Loss",
    "LossSpec",
    "Real",
    "Relation",
    "Schedule",
    "Space",
    "Spaces",
    "Term",
    "Whole",
    "load_entry_points",
    "parse_loss",
    "register",
    "unfinished",
]
