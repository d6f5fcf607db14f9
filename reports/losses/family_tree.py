"""The family tree of the losses as data: nodes and edges, read from the registry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from harness.losses import ALIASES, LOSSES, Relation, parse_loss

EdgeKind: TypeAlias = Literal["equals", "contains", "term"]
"""``equals`` and ``contains`` as in :class:`harness.losses.Relation`; ``term``: of a sum."""

SUMS = "sums"
"""The block of the aliases, which belong to no family of their own."""


TIED = "\u00a0"
"""A blank at which no line breaks."""


@dataclass(frozen=True)
class Node:
    """A loss, or a well-known sum of losses.

    Attributes:
        name: As study files write it.
        block: Its family, or :data:`SUMS`.
        notes: What stands below the name: which parameters make it another loss, or the sum.
        partner: Whether it is meant as a part of a sum.
    """

    name: str
    block: str
    notes: tuple[str, ...]
    partner: bool = False


@dataclass(frozen=True)
class Edge:
    """From a loss or sum to one that it becomes or holds."""

    source: str
    target: str
    kind: EdgeKind


@dataclass(frozen=True)
class FamilyTree:
    """All losses and aliases by name, and every edge between them."""

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]


def family_tree() -> FamilyTree:
    """Return the tree as the registries have it now."""
    nodes = {name: Node(name, loss.family, _notes(name), loss.partner) for name, loss in LOSSES.items()}
    edges = [
        Edge(name, relation.other, relation.kind) for name in nodes for relation in LOSSES[name].relations
    ]
    for name, alias in ALIASES.items():
        terms = parse_loss(alias.expression).terms
        nodes[name] = Node(name, SUMS, (f"= {alias.expression.replace('*', ' ')}",))
        edges += [Edge(name, term.name, "term") for term in terms]
    known = (edge for edge in dict.fromkeys(edges) if edge.target in nodes)
    return FamilyTree(nodes, tuple(known))


def _notes(name: str) -> tuple[str, ...]:
    return tuple(_note(relation) for relation in LOSSES[name].relations if relation.kind == "equals")


def _note(relation: Relation) -> str:
    """Return what makes a loss another one, as in ``gamma = 0 → ce``; it may break at plain blanks only."""
    factor = "" if relation.factor == 1 else f"{relation.factor:.3g} × "
    at = f" ({_settings(relation.other_parameters)})" if relation.other_parameters else ""
    other = f"→ {factor}{relation.other}".replace(" ", TIED)
    return f"{_settings(relation.parameters)} {other}{at}".strip()


def _settings(parameters: Mapping[str, Any]) -> str:
    shown = {
        key: f"{value:.3g}" if isinstance(value, float) else str(value) for key, value in parameters.items()
    }
    return ", ".join(f"{key}{TIED}={TIED}{value}".replace("-", "−") for key, value in shown.items())
