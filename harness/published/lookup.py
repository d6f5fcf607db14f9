"""Finding the printed numbers beside a dataset and a loss of ours."""

import functools
import re

from harness.published.model import PublishedNumber
from harness.published.rows import published_numbers

SIMULATED = "-sim"

CONVENTIONS = frozenset(
    {"absent", "balance", "eps", "ignore_label", "include_background", "offset", "reduce", "unit"}
)
"""Parameters that papers seldom print; two expressions that differ in nothing else are the same loss here."""

_TERM = re.compile(r"(?P<head>[^()+]+?)\s*(?:\((?P<parameters>.*?)\))?\s*(?:\+|$)")


def published_for(
    dataset: str, expression: str, metric: str | None = None, variant: str = ""
) -> list[PublishedNumber]:
    """Return what was printed for a loss on a dataset, in the order of the tables.

    A simulated dataset stands for the one that it imitates. The order of the terms does not count, nor do
    :data:`CONVENTIONS`, nor an alpha schedule: it is no part of an expression, and ``alpha`` tells rows
    with other schedules apart.

    Args:
        dataset: Name in the catalogue, with or without ``-sim``.
        expression: The loss in canonical form, as ``LossSpec.expression`` and the database have it.
        metric: ``dsc``, ``hd``, ``hd95`` or ``nsd``; all if absent.
        variant: What was changed beside the loss, as a study labels it; as it is if empty.
    """
    name, loss = dataset.removesuffix(SIMULATED), _essence(expression)
    if not name or not loss:
        return []
    return [
        number
        for number in published_numbers()
        if number.dataset == name
        and metric in {None, number.metric}
        and number.variant.casefold() == variant.casefold()
        and _essence(number.expression) == loss
    ]


@functools.lru_cache(maxsize=512)
def _essence(expression: str) -> tuple[str, ...]:
    """Return the terms, sorted, without what :data:`CONVENTIONS` lists.

    >>> _essence("gdl(eps=0.1) + boundary(offset=kervadec, dimensions=3)")
    ('boundary(dimensions=3)', 'gdl')
    """
    return tuple(sorted(_term(match) for match in _TERM.finditer(expression.strip())))


def _term(match: re.Match[str]) -> str:
    head = match["head"].strip()
    given = [part.strip() for part in (match["parameters"] or "").split(", ") if part.strip()]
    kept = sorted(part for part in given if part.partition("=")[0] not in CONVENTIONS)
    return f"{head}({', '.join(kept)})" if kept else head
