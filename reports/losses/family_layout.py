"""Where the cards of the family map stand, in millimetres from the page's upper left corner.

Three lanes: distribution and boundary on the left, region and lesion on the right, and between them what
is made of both, compounds and sums. Within a family a loss hangs below the one that it derives from.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Literal, NamedTuple, TypeAlias

from reports.losses.family_tree import SUMS, Edge, FamilyTree, Node

Lane: TypeAlias = Literal["left", "middle", "right"]

WIDTH_MM = 183.0
TOP = 21.0
"""Below the title and the key."""
LANES: Mapping[Lane, tuple[float, float]] = {"left": (2, 41), "middle": (68, 111), "right": (135, 174)}
"""Left and right end; to the right of the last lane runs the channel of its own edges."""
INDENT, GAP, HEADING, BETWEEN = 4.0, 1.9, 6.0, 6.0
PAD, NAME, NOTE = 0.9, 3.2, 2.6
"""Millimetres inside a card: above and below, the line of its name, and a line of its notes."""

ASIDE = 1.4
"""Millimetres between a card's side and its words."""

_LANE_OF: Mapping[str, Lane] = {
    "distribution": "left",
    "boundary": "left",
    "compound": "middle",
    SUMS: "middle",
    "region": "right",
    "lesion": "right",
}
_SWEEPS, _STEPS = 4, 12


class Words(NamedTuple):
    """What stands on a card, line by line."""

    name: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def height(self) -> float:
        """Of the card, in mm."""
        return 2 * PAD + NAME * len(self.name) + NOTE * len(self.notes)


WordsFor: TypeAlias = Callable[[Node, float], Words]
"""Breaks a node's words into lines of a width in mm."""


@dataclass(frozen=True)
class Card:
    """A node's place: its box, and the level of its name, where edges end."""

    node: Node
    lane: Lane
    left: float
    right: float
    top: float
    bottom: float
    words: Words
    parent: str | None

    @property
    def level(self) -> float:
        """The middle of the name's line."""
        return self.top + PAD + NAME / 2


@dataclass(frozen=True)
class Layout:
    """All cards by name, the corner of every block's heading, and the page's height."""

    cards: Mapping[str, Card]
    headings: Mapping[str, tuple[float, float]]
    height: float


@dataclass
class _Block:
    """A family's cards in their order, laid out from 0 downwards."""

    name: str
    lane: Lane
    order: list[str]
    depth: Mapping[str, int]
    words: Mapping[str, Words]
    tops: dict[str, float] = field(default_factory=dict)
    height: float = 0.0

    def stack(self) -> None:
        """Put the cards below one another."""
        y = HEADING
        for name in self.order:
            self.tops[name] = y
            y += self.words[name].height + GAP
        self.height = y - GAP


def lay_out(tree: FamilyTree, words_for: WordsFor) -> Layout:
    """Place every node; nothing overlaps, however many there are.

    Args:
        tree: What to place.
        words_for: Breaks what stands on a card into lines.
    """
    parents = _parents(tree)
    depth = {name: _depth(name, parents) for name in tree.nodes}
    blocks = [_block(name, tree, depth, words_for) for name in _block_names(tree)]
    offsets = dict.fromkeys((block.name for block in blocks), 0.0)
    for _ in range(_SWEEPS):
        for lane in ("middle", "left", "right"):
            levels = _levels(blocks, offsets)
            for block in (block for block in blocks if block.lane == lane):
                block.order = _ordered(block, tree.edges, parents, levels)
                block.stack()
            offsets = _settled(blocks, tree.edges, offsets)
    cards = {
        name: _card(tree.nodes[name], block, offsets[block.name], parents.get(name))
        for block in blocks
        for name in block.order
    }
    headings = {block.name: (LANES[block.lane][0], offsets[block.name]) for block in blocks}
    return Layout(cards, headings, max(card.bottom for card in cards.values()))


def _block_names(tree: FamilyTree) -> list[str]:
    """Return the blocks from top to bottom; a family that is new here goes to the left lane's end."""
    present = {node.block for node in tree.nodes.values()}
    return [*(name for name in _LANE_OF if name in present), *sorted(present - set(_LANE_OF))]


def _block(name: str, tree: FamilyTree, depth: Mapping[str, int], words_for: WordsFor) -> _Block:
    lane = _LANE_OF.get(name, "left")
    members = [node for node in tree.nodes.values() if node.block == name]
    inside = LANES[lane][1] - LANES[lane][0] - 2 * ASIDE
    words = {node.name: words_for(node, inside - INDENT * depth[node.name]) for node in members}
    block = _Block(name, lane, [node.name for node in members], depth, words)
    block.stack()
    return block


def _parents(tree: FamilyTree) -> dict[str, str]:
    """Return the loss of the same family that a loss hangs below: the first that it equals, else holds."""
    found: dict[str, str] = {}
    for edge in sorted(tree.edges, key=lambda edge: edge.kind != "equals"):
        same = tree.nodes[edge.source].block == tree.nodes[edge.target].block
        if same and edge.source not in found and edge.source not in _line(edge.target, found):
            found[edge.source] = edge.target
    return found


def _line(name: str, parents: Mapping[str, str]) -> list[str]:
    """Return a node, its parent, its parent's parent, and so on."""
    line = [name]
    while line[-1] in parents:
        line.append(parents[line[-1]])
    return line


def _depth(name: str, parents: Mapping[str, str]) -> int:
    return len(_line(name, parents)) - 1


def _ordered(
    block: _Block, edges: Iterable[Edge], parents: Mapping[str, str], levels: Mapping[str, float]
) -> list[str]:
    """Return the block's nodes, trees by the mean level of what they are joined with, parents first.

    Trees that nothing outside the lane joins come first in a side lane's upper block, which moves the
    joined ones towards the middle of the page.
    """
    members = set(block.order)
    pulls: dict[str, list[float]] = {}
    for edge in edges:
        for inner, outer in ((edge.source, edge.target), (edge.target, edge.source)):
            if inner in members and outer not in members:
                pulls.setdefault(_line(inner, parents)[-1], []).append(levels[outer])
    alone = -1.0 if block.name in {"region", "distribution"} else 1e9

    def rank(root: str) -> tuple[float, str]:
        pull = pulls.get(root)
        return (sum(pull) / len(pull) if pull else alone), root

    def below(name: str) -> list[str]:
        children = sorted(child for child in members if parents.get(child) == name)
        return [name, *(each for child in children for each in below(child))]

    roots = sorted((name for name in members if name not in parents), key=rank)
    return [name for root in roots for name in below(root)]


def _settled(blocks: list[_Block], edges: Iterable[Edge], offsets: Mapping[str, float]) -> dict[str, float]:
    """Return the tops of the blocks: the free height of each lane where it makes the edges shortest."""
    heights = {
        lane: sum(block.height for block in blocks if block.lane == lane)
        + BETWEEN * max(0, sum(block.lane == lane for block in blocks) - 1)
        for lane in LANES
    }
    page = max(heights.values())
    settled = dict(offsets)
    for lane in LANES:
        members = [block for block in blocks if block.lane == lane]
        step = (page - heights[lane]) / _STEPS
        candidates = []
        for shifts in combinations_with_replacement(range(_STEPS + 1), len(members)):
            y, trial = TOP, dict(settled)
            for block, shift in zip(members, shifts, strict=True):
                trial[block.name] = y + shift * step
                y += block.height + BETWEEN
            candidates.append((_length(edges, _levels(blocks, trial)), shifts, trial))
        settled = min(candidates, key=lambda candidate: candidate[:2])[2]
    return settled


def _length(edges: Iterable[Edge], levels: Mapping[str, float]) -> float:
    return round(sum(abs(levels[edge.source] - levels[edge.target]) for edge in edges), 6)


def _levels(blocks: Iterable[_Block], offsets: Mapping[str, float]) -> dict[str, float]:
    return {
        name: offsets[block.name] + top + PAD + NAME / 2
        for block in blocks
        for name, top in block.tops.items()
    }


def _card(node: Node, block: _Block, offset: float, parent: str | None) -> Card:
    left, right = LANES[block.lane]
    indent = INDENT * block.depth[node.name]
    if block.lane == "right":  # its trees stand at the outer side, as on the left
        right -= indent
    else:
        left += indent
    top, words = offset + block.tops[node.name], block.words[node.name]
    return Card(node, block.lane, left, right, top, top + words.height, words, parent)
