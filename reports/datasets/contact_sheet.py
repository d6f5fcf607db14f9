"""Contact sheet: one picture per case, with the outlines of its labels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.facts import CaseFacts
from harness.errors import InputError
from reports.datasets.sheet_layout import SheetLayout, SheetWords, lay_out_sheet
from reports.datasets.tile_drawing import draw_legend, draw_tile
from reports.datasets.tiles import ALL_CHANNELS, ContactSheetCase, Tile, make_tile, panel_names
from reports.figures.canvas import GREY, Page
from reports.figures.registry import Drawing
from reports.figures.style import INK, drawing_style
from reports.figures.write import check_target, write_drawing

SHOWN = 12
"""Cases on a sheet, unless cases are asked for."""


@dataclass(frozen=True)
class SheetFacts:
    """What the sheet says of the dataset.

    Attributes:
        name: As in tables.
        title: For readers.
        channels: Names of the image channels.
        classes: Foreground classes by index.
        cases: Number of cases in the dataset.
        simulated: Whether the images are simulated.
        plane: That of the slices: axial, coronal or sagittal.
        chosen: How the cases were chosen, to end the footer.
    """

    name: str
    title: str
    channels: tuple[str, ...]
    classes: Mapping[int, str]
    cases: int
    simulated: bool = False
    plane: str = "axial"
    chosen: str = ""


def draw_contact_sheet(
    cases: Iterable[ContactSheetCase], facts: SheetFacts, path: Path, channel: str | None = None
) -> None:
    """Draw cases and write the sheet as PNG, PDF or SVG, by the suffix of ``path``.

    Args:
        cases: Taken one at a time; only the slices that are shown are kept.
        facts: About the dataset.
        path: File to write, whole or not at all.
        channel: The channel to show; ``all`` for all side by side; None for the first, or a colour
            picture where the channels are red, green and blue.

    Raises:
        InputError: if the suffix, the channel or a slice is wrong, or there is no case.
    """
    check_target(path)
    write_drawing(contact_sheet(cases, facts, channel), path)


def contact_sheet(
    cases: Iterable[ContactSheetCase], facts: SheetFacts, channel: str | None = None
) -> Drawing:
    """Return the sheet; see :func:`draw_contact_sheet`."""
    panels = panel_names(facts.channels, channel)
    tiles = [make_tile(case, facts.channels, panels, facts.classes) for case in cases]
    if not tiles:
        raise InputError(f"dataset {facts.name!r}: there is no case to draw; check its folder")
    shown = "all channels" if channel == ALL_CHANNELS else panels[0]
    words = _words(facts, tiles, shown)
    layout = lay_out_sheet(tiles, len(panels), words, facts.classes)
    with drawing_style():
        page = Page(layout.width, layout.height)
        _write_head(page, layout)
        draw_legend(page, layout, facts.classes, _ignores(tiles))
        for place in layout.places:
            draw_tile(page, place, layout, panels if len(panels) > 1 else (), facts.plane)
        _write_foot(page, layout)
    return Drawing(
        name="contact-sheet",
        title=f"Cases of {facts.name}",
        caption=words.foot,
        alt=f"Slices of {len(tiles)} of {facts.cases} cases of {facts.name} with their labels outlined: "
        + ", ".join(tile.name for tile in tiles),
        figure=page.figure,
    )


def choose_evenly(facts: Sequence[CaseFacts], number: int = SHOWN) -> tuple[str, ...]:
    """Return the names of some cases, spread evenly from the least foreground to the most.

    Args:
        facts: Of all cases that can be read.
        number: How many to choose.
    """
    ranked = sorted(facts, key=lambda each: each.foreground_fraction)
    places = np.unique(np.linspace(0, len(ranked) - 1, min(number, len(ranked))).round().astype(int))
    return tuple(ranked[place].case for place in places)


def _words(facts: SheetFacts, tiles: Sequence[Tile], shown: str) -> SheetWords:
    simulated = ", SIMULATED" if facts.simulated else ""
    images = "simulated images" if facts.simulated else "images"
    plane = "" if facts.plane == "axial" else f" · {facts.plane} slices"
    return SheetWords(
        title=f"{facts.title} ({facts.name}){simulated}",
        subtitle=f"{len(tiles)} of {facts.cases} cases · {images}: {shown}{plane}",
        foot=_foot(facts, tiles),
    )


def _foot(facts: SheetFacts, tiles: Sequence[Tile]) -> str:
    parts = [
        "One slice per case: the one with most foreground, unless another was asked for."
        if not _pictures_only(tiles)
        else "Pictures as stored.",
        "Outlines run just outside the labelled pixels.",
    ]
    if not _pictures_only(tiles):
        parts.append("Voxel size is slices × rows × columns.")
    parts.append("Percentages are shares of all voxels of the case.")
    if facts.chosen:
        parts.append(facts.chosen)
    return " ".join(parts)


def _pictures_only(tiles: Sequence[Tile]) -> bool:
    found = [tile.picture for tile in tiles if tile.picture]
    return bool(found) and all(picture.is_picture for picture in found)


def _ignores(tiles: Sequence[Tile]) -> bool:
    return any(tile.picture is not None and tile.picture.ignored.any() for tile in tiles)


def _write_head(page: Page, layout: SheetLayout) -> None:
    y = layout.margin
    for line in layout.title:
        page.text(layout.margin, y, line, fontsize=9 * layout.scale, fontweight="bold", color=INK)
        y += layout.title_line
    page.text(layout.margin, y, layout.subtitle, fontsize=7 * layout.scale, color=INK)


def _write_foot(page: Page, layout: SheetLayout) -> None:
    for number, line in enumerate(layout.foot):
        y = layout.height - layout.margin - (len(layout.foot) - number) * layout.line
        page.text(layout.margin, y, line, fontsize=layout.type_size, color=GREY)
