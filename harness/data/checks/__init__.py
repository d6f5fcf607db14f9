"""Checks of a dataset: what one case shows, and what only a look at all cases together shows.

``within`` looks at a decoded case, ``mirror`` measures whether its mask fits its image, ``across``
compares cases, ``dataset`` runs all of it over a folder. An :class:`Examination` is what one look at a
case leaves: small, so that a dataset of any size can be compared with the memory of one case. ``lossbench
data check`` and ``prepare`` both examine, so they find the same.
"""

from harness.data.checks.across import compare_cases
from harness.data.checks.dataset import CheckedDataset, check_dataset
from harness.data.checks.examine import Examination, examine

__all__ = ["CheckedDataset", "Examination", "check_dataset", "compare_cases", "examine"]
