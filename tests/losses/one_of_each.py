"""Losses that stand for the others where a test is too dear to be quick for all of them."""

from collections.abc import Iterable
from typing import Any

import pytest

ONE_OF_EACH = ("focal", "gdl", "boundary", "cc", "exp_log", "dice_hausdorff")
"""One of each family, and of each need: none, maps, cells, class counts, maps of the prediction."""


def quick_for_one_of_each(names: Iterable[str]) -> list[Any]:
    """Return the names as parameters of a test, quick for those that stand for the others."""
    return [name if name in ONE_OF_EACH else pytest.param(name, marks=pytest.mark.full) for name in names]
