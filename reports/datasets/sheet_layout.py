"""Where everything stands on a contact sheet, in inches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import NamedTuple

from reports.datasets.tiles import Picture, Tile

_PANEL = 1.75
"""Width of a panel in inches on the smallest sheet."""

_MOST_ENLARGED = 2.9
_DOTS_PER_PIXEL, _DOTS_PER_INCH = 3, 200
_TALLEST = 1.6
"""Height of a panel over its width; a picture that is taller gets narrower."""

_PER_ROW = {1: 4, 2: 2, 3: 2}
"""Number of panels of a tile -> tiles in a row, else 1."""

_FEW = {1: 2.2, 2: 1.6, 3: 1.25}
"""Panels in a row -> how much wider than usual they are."""

_LETTER = 0.051
"""Inches of an average letter at the type size, generous."""

_TYPE, _LINE, _MARGIN, _GAP, _PANEL_GAP = 6.5, 0.118, 0.12, 0.14, 0.03
_NARROWEST = 3.6


@dataclass(frozen=True)
class Caption:
    """The lines under a tile; those of the note are red."""

    name: tuple[str, ...]
    facts: tuple[str, ...]
    note: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.name) + len(self.facts) + len(self.note)


@dataclass(frozen=True)
class Place:
    """Where a tile stands.

    Attributes:
        tile: The tile.
        caption: Its words.
        x: Its left edge.
        y: Its upper edge.
        panel_width: Of each of its panels.
        panel_height: Likewise.
        step: From the left edge of a panel to that of the next.
    """

    tile: Tile
    caption: Caption
    x: float
    y: float
    panel_width: float
    panel_height: float
    step: float


class SheetWords(NamedTuple):
    """What is written above and below the tiles."""

    title: str
    subtitle: str
    foot: str


@dataclass(frozen=True)
class SheetLayout:
    """The sheet's measures and the places of its tiles.

    Attributes:
        scale: By how much everything is larger than on the smallest sheet, so that the pixels of large
            images keep a dot of their own.
        width: Of the page.
        height: Of the page.
        title: Its lines.
        subtitle: The line below.
        foot: The lines at the bottom.
        legend: Upper edge of the legend, and its entries' indices by line.
        places: Of the tiles.
    """

    scale: float
    width: float
    height: float
    title: tuple[str, ...]
    subtitle: str
    foot: tuple[str, ...]
    legend: tuple[float, tuple[tuple[int, ...], ...]]
    places: tuple[Place, ...]

    @property
    def margin(self) -> float:
        """Around everything."""
        return _MARGIN * self.scale

    @property
    def line(self) -> float:
        """From one line of text to the next."""
        return _LINE * self.scale

    @property
    def title_line(self) -> float:
        """The same in the title."""
        return 1.4 * self.line

    @property
    def type_size(self) -> float:
        """Points."""
        return _TYPE * self.scale

    def letters(self, width: float) -> int:
        """Return how many letters fit into a width."""
        return _letters(width, self.scale)


def percent(fraction: float) -> str:
    """Return a fraction as text with three digits, never as a power of ten."""
    value = 100 * fraction
    if 0 < value < 0.001:
        return "< 0.001 %"
    return f"{value:.2g} %" if value < 0.1 else f"{value:.3g} %"


def millimetres(spacing: Sequence[float]) -> str:
    """Return voxel sizes as ``3 × 0.96 × 0.96 mm``, not to be broken over lines."""
    return "\u00a0×\u00a0".join(f"{length:.3g}" for length in spacing) + "\u00a0mm"


def lay_out_sheet(
    tiles: Sequence[Tile], panels: int, words: SheetWords, classes: Mapping[int, str]
) -> SheetLayout:
    """Place tiles in rows, left to right.

    Args:
        tiles: What to show.
        panels: How many panels each has.
        words: Title and others.
        classes: Foreground classes, for the legend.
    """
    per_row = max(1, min(_PER_ROW.get(panels, 1), len(tiles)))
    panel = _PANEL * _FEW.get(per_row * panels, 1.0)
    scale = _scale(tiles, panel)
    tile_width = scale * (panels * panel + (panels - 1) * _PANEL_GAP)
    inner = max(per_row * tile_width + (per_row - 1) * _GAP * scale, _NARROWEST * scale)
    title = tuple(wrap(words.title, int(0.66 * _letters(inner, scale))))
    foot = tuple(wrap(words.foot, _letters(inner, scale)))
    legend = _legend_lines(classes, _letters(inner, scale))
    head = scale * (_MARGIN + _LINE * (1.4 * len(title) + 1.7))
    panel_names = 1.2 * _LINE * scale if panels > 1 else 0.0
    places, y = [], head + scale * _LINE * (1.25 * len(legend) + 0.5)
    for start in range(0, len(tiles), per_row):
        row = tiles[start : start + per_row]
        captions = [_caption(tile, classes, _letters(tile_width, scale)) for tile in row]
        sizes = [_panel_size(tile.picture, scale * panel) for tile in row]
        for column, (tile, caption, size) in enumerate(zip(row, captions, sizes, strict=True)):
            x = scale * _MARGIN + column * (tile_width + _GAP * scale)
            places.append(Place(tile, caption, x, y + panel_names, *size, scale * (panel + _PANEL_GAP)))
        y += panel_names + max(height for _, height in sizes)
        y += scale * (_LINE * (max(map(len, captions)) + 0.4) + _GAP)
    return SheetLayout(
        scale=scale,
        width=inner + 2 * _MARGIN * scale,
        height=y + scale * (len(foot) * _LINE + _MARGIN),
        title=title,
        subtitle=words.subtitle,
        foot=foot,
        legend=(head, legend),
        places=tuple(places),
    )


def _scale(tiles: Sequence[Tile], panel: float) -> float:
    """Return how much to enlarge the sheet for its largest picture."""
    columns = max(
        (tile.picture.view.right - tile.picture.view.left for tile in tiles if tile.picture), default=1
    )
    wanted = _DOTS_PER_PIXEL * columns / _DOTS_PER_INCH / panel
    return min(max(wanted, 1.0), _MOST_ENLARGED)


def _letters(width: float, scale: float) -> int:
    return max(8, int(width / (_LETTER * scale)))


def _panel_size(picture: Picture | None, widest: float) -> tuple[float, float]:
    """Return width and height of a tile's panels."""
    if picture is None:
        return widest, 0.75 * widest
    height = (picture.view.bottom - picture.view.top) * picture.pixel[0]
    aspect = height / ((picture.view.right - picture.view.left) * picture.pixel[1])
    width = widest * min(1.0, _TALLEST / aspect)
    return width, width * aspect


def _legend_lines(classes: Mapping[int, str], letters: int) -> tuple[tuple[int, ...], ...]:
    """Return the class indices of each line of the legend; 0 stands for the ignored region."""
    lines: list[list[int]] = [[]]
    used = 0
    for index in (*sorted(classes), 0):
        length = entry_letters(legend_text(index, classes))
        if lines[-1] and used + length > letters:
            lines.append([])
            used = 0
        lines[-1].append(index)
        used += length
    return tuple(tuple(line) for line in lines)


def legend_text(index: int, classes: Mapping[int, str]) -> str:
    """Return what the legend calls a class, or the ignored region (0)."""
    if index == 0:
        return "ignored"
    return f"{index} {classes[index]}" if len(classes) > 1 else classes[index]


def entry_letters(text: str) -> int:
    """Return the width of a legend's entry with its mark, in letters."""
    return len(text) + 7


def _caption(tile: Tile, classes: Mapping[int, str], letters: int) -> Caption:
    who = tile.name if tile.patient == tile.name else f"{tile.name} ({tile.patient})"
    who += f", {tile.site}" if tile.site else ""
    name = tuple(wrap(who, int(0.9 * letters), max_lines=2, placeholder="…"))
    if tile.picture is None:
        return Caption(name, (), ())
    facts = [
        *_wrapped(_geometry(tile.picture), letters),
        *_wrapped(_fractions(tile.picture, classes), letters),
    ]
    return Caption(name, tuple(facts), tuple(wrap(tile.note, letters, max_lines=5, placeholder=" …")))


def _wrapped(words: str, letters: int) -> list[str]:
    """Break lines at plain spaces only: textwrap does so, as non-breaking ones are none to it."""
    return wrap(words, letters, break_long_words=False)


def _geometry(picture: Picture) -> str:
    depth, rows, columns = picture.shape
    if picture.is_picture:
        return f"{rows} × {columns} pixels"
    return f"slice {picture.slice_number}/{depth} · {millimetres(picture.spacing)}"


def _fractions(picture: Picture, classes: Mapping[int, str]) -> str:
    if not any(picture.fractions):
        return "no foreground"
    if len(classes) == 1:
        share = percent(picture.fractions[0]).replace(" ", "\u00a0")
        return f"{next(iter(classes.values()))} {share}"
    pairs = zip(sorted(classes), picture.fractions, strict=True)
    # Non-breaking: a number stays with its class.
    return ", ".join(f"{index}: {percent(share)}".replace(" ", "\u00a0") for index, share in pairs)
