"""The whole loss function picture: every loss, which others it becomes or holds, and the usual sums."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reports.figures.canvas import GREY, SMALL, Page
from reports.figures.registry import Drawing
from reports.figures.style import FAMILY_COLOURS, INK, OTHER_COLOUR, drawing_style
from reports.figures.write import check_target, write_drawing
from reports.losses.family_layout import ASIDE, NAME, NOTE, PAD, WIDTH_MM, Card, Layout, Words, lay_out
from reports.losses.family_routes import Route, routes
from reports.losses.family_tree import SUMS, EdgeKind, FamilyTree, Node, family_tree

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME_SIZE = 7.0
_MM = 25.4
_FOOT = 3.0
_HINTED = 1.05
"""Letters set on a coarse pixel grid run that much wider than their outlines."""
_LINES: dict[EdgeKind, dict[str, Any]] = {
    "equals": {"lw": 1.1, "ls": "-", "alpha": 0.95},
    "contains": {"lw": 0.8, "ls": (0, (4, 1.8)), "alpha": 0.9},
    "term": {"lw": 0.85, "ls": (0, (1, 1.2)), "alpha": 0.95},
}
_WORDS: dict[EdgeKind, str] = {
    "equals": "equals the other with the parameters on its card",
    "contains": "contains the other in its formula",
    "term": "is a sum with the other as a term",
}


def write_family_map(target: Path) -> None:
    """Write the family tree of all registered losses and aliases, whole or not at all.

    Args:
        target: A name that ends in ``.png``, ``.pdf`` or ``.svg``.

    Raises:
        InputError: if the name ends otherwise.
    """
    check_target(target)
    tree = family_tree()
    caption = "Every registered loss by family, with its relations, and the well-known sums."
    drawing = Drawing("family", "The family of losses", caption, _alt(tree), draw_family_map())
    write_drawing(drawing, target)


def draw_family_map() -> "Figure":
    """Draw a card per loss and alias, in a lane per kind, and a line per relation and term."""
    tree = family_tree()
    with drawing_style():
        layout = lay_out(tree, words_for)
        page = Page(WIDTH_MM / _MM, (layout.height + _FOOT) / _MM)
        axis = _whole_page(page)
        _head(axis, tree)
        for route in routes(layout, tree.edges):
            _draw_route(axis, route, tree)
        for card in layout.cards.values():
            _draw_card(axis, card)
        _draw_headings(axis, layout)
    return page.figure


def words_for(node: Node, width: float) -> Words:
    """Return the lines of a node's card: its name breaks at underscores, its notes at blanks."""
    names = _broken(re.findall("[^_]*_|[^_]+", node.name), "", width, size=NAME_SIZE, weight="bold")
    notes = [_broken(note.split(" "), " ", width, size=SMALL) for note in node.notes]
    return Words(tuple(names), tuple(line for lines in notes for line in lines))


def _broken(parts: list[str], glue: str, width: float, **look: Any) -> list[str]:
    """Join parts to lines of at most that width in mm; a single part may be longer."""
    lines = parts[:1]
    for part in parts[1:]:
        longer = lines[-1] + glue + part
        if _width(longer, **look) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


def _width(text: str, size: float, weight: str = "normal") -> float:
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    path = TextPath((0, 0), text, size=size, prop=FontProperties(weight=weight))
    return _HINTED * float(path.get_extents().x1) * _MM / 72


def _whole_page(page: Page) -> "Axes":
    """Return axes over a page whose unit is the millimetre, from the upper left corner."""
    axis = page.axes(0, 0, page.width, page.height)
    axis.set_axis_off()
    axis.set(xlim=(0, WIDTH_MM), ylim=(page.height * _MM, 0))
    return axis


def _head(axis: "Axes", tree: FamilyTree) -> None:
    """Write the title, and the key below it."""
    from matplotlib.patches import FancyBboxPatch

    sums = sum(node.block == SUMS for node in tree.nodes.values())
    title = f"The family of losses: {len(tree.nodes) - sums} losses and {sums} well-known sums"
    axis.text(2, 1.6, title, fontsize=9.5, fontweight="bold", color=INK, va="top")
    y, x = 9.4, 2.0
    for kind, look in _LINES.items():
        axis.plot([x, x + 8], [y, y], color=INK, **look)
        axis.text(x + 9.5, y, _WORDS[kind], fontsize=6.5, color=INK, va="center")
        x += 13 + _width(_WORDS[kind], 6.5)
    y, x = 14.0, 2.0
    for face, words in (
        ("#e4e4e4", "loss, in its family's colour"),
        ("white", "loss that is meant as a partner in a sum"),
    ):
        axis.add_patch(
            FancyBboxPatch(
                (x, y - 1.5), 8, 3, fc=face, ec=GREY, lw=0.7, boxstyle="round,pad=0,rounding_size=0.8"
            )
        )
        axis.text(x + 9.5, y, words, fontsize=6.5, color=INK, va="center")
        x += 13 + _width(words, 6.5)
    axis.text(
        x - 1, y, "a line has the colour of the loss that it leads to", fontsize=6.5, color=INK, va="center"
    )


def _draw_route(axis: "Axes", route: Route, tree: FamilyTree) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Line

    codes = [Line.MOVETO] + [Line.CURVE4 if route.curved else Line.LINETO] * (len(route.points) - 1)
    colour = _colour(tree.nodes[route.edge.target].block)
    line = PathPatch(Line(route.points, codes), fc="none", ec=colour, **_LINES[route.edge.kind])
    line.set(capstyle="butt", joinstyle="round")
    line.set_gid(f"edge-{route.edge.source}-{route.edge.target}-{route.edge.kind}")
    axis.add_patch(line)


def _draw_card(axis: "Axes", card: Card) -> None:
    from matplotlib.patches import FancyBboxPatch

    colour = _colour(card.node.block)
    plain = card.node.partner or card.node.block == SUMS
    box = FancyBboxPatch(
        (card.left, card.top),
        card.right - card.left,
        card.bottom - card.top,
        boxstyle="round,pad=0,rounding_size=0.9",
        fc="white" if plain else _tint(colour),
        ec=colour,
        lw=0.5 if card.node.block == SUMS else 0.9,
    )
    box.set_gid(f"node-{card.node.name}")
    axis.add_patch(box)
    left = card.left + ASIDE
    look: dict[str, Any] = {"va": "center_baseline"}
    for place, line in enumerate(card.words.name):
        y = card.level + NAME * place
        axis.text(left, y, line, fontsize=NAME_SIZE, fontweight="bold", color=INK, **look)
    for place, line in enumerate(card.words.notes):
        y = card.bottom - PAD - NOTE * (len(card.words.notes) - place - 0.5)
        axis.text(left, y, line, fontsize=SMALL, color=GREY, **look)


def _draw_headings(axis: "Axes", layout: Layout) -> None:
    for block, (x, y) in layout.headings.items():
        axis.text(x, y + 1.2, block, fontsize=9, fontweight="bold", color=_colour(block), va="top")


def _colour(block: str) -> str:
    return INK if block == SUMS else FAMILY_COLOURS.get(block, OTHER_COLOUR)


def _tint(colour: str) -> tuple[float, ...]:
    from matplotlib.colors import to_rgb

    return tuple(1 - 0.2 * (1 - channel) for channel in to_rgb(colour))


def _alt(tree: FamilyTree) -> str:
    joined: dict[str, list[str]] = {}
    for edge in tree.edges:
        joined.setdefault(edge.source, []).append(f"{edge.kind} {edge.target}")
    return "; ".join(f"{name}: {', '.join(others)}" for name, others in joined.items()) + "."
