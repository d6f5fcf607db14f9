"""The ways of the family map's edges, in millimetres: along trees, between lanes, and around them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from reports.losses.family_layout import BETWEEN, LANES, Card, Layout
from reports.losses.family_tree import Edge

Point: TypeAlias = tuple[float, float]
Side: TypeAlias = Literal["left", "right"]

_SPINE = 1.8
"""From a card's outer side to the line that its children hang on."""
_APART, _SPREAD = 0.5, 3.4
"""Between the ends of edges at one card, and over all of them, at most."""
_TRACK = 1.3
"""Between parallel lines of a channel."""
_BEND = 0.55
"""How far a curve runs level, as a share of the gap between the lanes."""


@dataclass(frozen=True)
class Route:
    """An edge's way: its corners, and whether it is drawn as Bezier curves through them.

    Attributes:
        edge: Whose way.
        points: Start, then for curves two control points and an end each; else the corners.
        curved: See ``points``.
    """

    edge: Edge
    points: tuple[Point, ...]
    curved: bool


def routes(layout: Layout, edges: Iterable[Edge]) -> list[Route]:
    """Return the way of every edge."""
    edges = tuple(edges)
    ports = _ports(layout.cards, edges)
    around = [edge for edge in edges if _kind(layout.cards, edge) == "around"]
    around.sort(key=lambda edge: _span(layout.cards, edge))  # short ones inside, so that none cross
    across = [edge for edge in edges if _kind(layout.cards, edge) == "across"]
    found = []
    for edge in edges:
        source, target = layout.cards[edge.source], layout.cards[edge.target]
        kind = _kind(layout.cards, edge)
        if kind == "tree":
            found.append(Route(edge, _hung(source, target), curved=False))
        elif kind == "around":
            found.append(Route(edge, _around(ports[edge], source, around.index(edge)), curved=False))
        elif kind == "across":
            level = _channel(layout) + _TRACK * (across.index(edge) - (len(across) - 1) / 2)
            found.append(Route(edge, _across(ports[edge], level), curved=True))
        else:
            start, end = ports[edge]
            found.append(Route(edge, (start, *_curve(start, end)), curved=True))
    return found


def _kind(cards: Mapping[str, Card], edge: Edge) -> Literal["tree", "around", "across", "beside"]:
    source, target = cards[edge.source], cards[edge.target]
    if source.lane == target.lane:
        return "tree" if source.parent == target.node.name else "around"
    return "beside" if "middle" in {source.lane, target.lane} else "across"


def _ports(cards: Mapping[str, Card], edges: Iterable[Edge]) -> dict[Edge, tuple[Point, Point]]:
    """Return both ends of every edge that is no tree's, apart from one another at a card's side."""
    ends: dict[tuple[str, Side], list[tuple[tuple[bool, float], Edge]]] = {}
    sides: dict[tuple[Edge, str], Side] = {}
    for edge in edges:
        if _kind(cards, edge) == "tree":
            continue
        for near, far in ((edge.source, edge.target), (edge.target, edge.source)):
            side = _side(cards[near], cards[far])
            sides[edge, near] = side
            ends.setdefault((near, side), []).append((_rank(cards[near], cards[far]), edge))
    levels: dict[tuple[Edge, str], float] = {}
    for (name, _), found in ends.items():
        found.sort(key=lambda end: (end[0], end[1].source, end[1].target, end[1].kind))
        apart = min(_APART, _SPREAD / len(found))
        for place, (_, edge) in enumerate(found):
            levels[edge, name] = cards[name].level + apart * (place - (len(found) - 1) / 2)

    def end(edge: Edge, name: str) -> Point:
        card = cards[name]
        return (card.left if sides[edge, name] == "left" else card.right), levels[edge, name]

    joined = dict.fromkeys(edge for edge, _ in sides)
    return {edge: (end(edge, edge.source), end(edge, edge.target)) for edge in joined}


def _rank(card: Card, other: Card) -> tuple[bool, float]:
    """Return the place, from the top, of an edge's end among those at a card's side."""
    if card.lane == other.lane:  # turns round in the channel: what goes far leaves outside
        return other.level > card.level, -other.level
    return False, other.level


def _span(cards: Mapping[str, Card], edge: Edge) -> tuple[float, str, str]:
    return abs(cards[edge.source].level - cards[edge.target].level), edge.source, edge.target


def _side(card: Card, other: Card) -> Side:
    """Return the side that faces the other card; within a lane the right one."""
    return "left" if LANES[other.lane][0] < LANES[card.lane][0] else "right"


def _hung(child: Card, parent: Card) -> tuple[Point, ...]:
    """Return the way from a card to the line below its parent's outer side."""
    if child.lane == "right":
        spine, side = parent.right - _SPINE, child.right
    else:
        spine, side = parent.left + _SPINE, child.left
    return (side, child.level), (spine, child.level), (spine, parent.bottom)


def _around(ends: tuple[Point, Point], card: Card, track: int) -> tuple[Point, ...]:
    """Return the way through the channel to the right of a lane."""
    start, end = ends
    x = LANES[card.lane][1] + 2.2 + _TRACK * track
    return start, (x, start[1]), (x, end[1]), end


def _channel(layout: Layout) -> float:
    """Return the level between the blocks of the middle lane, where lines may cross it."""
    tops = sorted(y for name, (x, y) in layout.headings.items() if x == LANES["middle"][0])
    return tops[1] - BETWEEN / 2 if len(tops) > 1 else layout.height + BETWEEN / 2


def _across(ends: tuple[Point, Point], level: float) -> tuple[Point, ...]:
    """Return the way from a side lane to the other one, through the middle lane at a level."""
    start, end = ends
    left, right = (LANES["middle"][0] - 1, level), (LANES["middle"][1] + 1, level)
    first, second = (left, right) if start[0] < end[0] else (right, left)
    return start, *_curve(start, first), *_curve(first, second), *_curve(second, end)


def _curve(start: Point, end: Point) -> tuple[Point, Point, Point]:
    """Return control points and end of a curve that leaves and arrives level."""
    reach = _BEND * (end[0] - start[0])
    return (start[0] + reach, start[1]), (end[0] - reach, end[1]), end
