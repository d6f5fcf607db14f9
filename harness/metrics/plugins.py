"""Metrics of other people: by the name that an installed package announces, or by import path."""

import logging
from importlib.metadata import EntryPoint, entry_points

from harness.errors import InputError
from harness.metrics.metric import METRICS, Metric, file
from harness.registry import imported

GROUP = "lossbench.metrics"
"""The entry-point group in which installed packages announce their metrics."""

logger = logging.getLogger(__name__)


def find_metric(name: str) -> Metric:
    """Return a metric by its name, or by its import path ``package.module:NAME``.

    What is imported is entered in the registry, so that it goes by its own name from then on.

    Raises:
        InputError: if there is no such metric, what is found is none, or its name is taken.
    """
    return _filed(imported("metric", name, _is_metric), name) if ":" in name else METRICS[name]


def load_entry_points() -> None:
    """File every announced metric in the registry; a broken one is logged and left out."""
    for entry in entry_points(group=GROUP):
        if entry.name in METRICS:
            continue
        try:
            _load(entry)
        except InputError as error:
            logger.warning("%s", error)


def _load(entry: EntryPoint) -> None:
    source = f"{entry.name} (entry point {entry.value})"
    try:
        found = entry.load()
    except Exception as error:  # code of somebody else: anything may come
        raise InputError(f"metric {source!r}: cannot be loaded: {type(error).__name__}: {error}") from error
    if isinstance(found, Metric) and found.name != entry.name:
        raise InputError(f"metric {source!r}: it calls itself {found.name!r}; announce it by that name")
    _filed(found, source)


def _is_metric(found: object) -> bool:
    return isinstance(found, Metric)


def _filed(found: object, source: str) -> Metric:
    """Return what was found, in the registry, if it is a metric whose name is free."""
    if not isinstance(found, Metric):
        raise InputError(f"metric {source!r}: must be a harness.metrics.Metric (got {type(found).__name__})")
    if found.name not in METRICS:  # importing it may have filed it
        file(found)
    elif METRICS[found.name] is not found:
        raise InputError(f"metric {source!r}: the name {found.name!r} is taken by another metric; rename it")
    return found
