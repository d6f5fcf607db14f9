"""Write the index of a folder of reports."""

import base64
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from harness.errors import InputError
from reports.escape import printable
from reports.gallery.entries import Entry, comparisons_below, reports_below
from reports.page.parts import SCRIPTS, STYLES, asset, environment

_WIDTH, _HEIGHT, _COLOURS = 480, 360, 48
"""Pixels of a thumbnail at most (shown at half of it), and its number of colours."""


@dataclass(frozen=True)
class WrittenGallery:
    """What was written: the index, and how many reports and comparisons it lists."""

    page: Path
    reports: int
    comparisons: int


@dataclass(frozen=True)
class _Shown:
    entry: Entry
    thumbnail: str


def build_gallery(folder: Path) -> WrittenGallery:
    """Write ``index.html`` into a folder: every report and comparison below it, with relative links.

    The same reports give the same bytes.

    Args:
        folder: That holds the folders of reports.

    Raises:
        InputError: if there is no such folder, or no report in it.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}; give one that holds reports")
    reports, comparisons = reports_below(folder), comparisons_below(folder)
    if not reports and not comparisons:
        raise InputError(
            f"no report below {str(folder)!r}; 'lossbench report STUDY --out FOLDER' writes one into a folder"
        )
    shown = [_Shown(each, thumbnail(each.picture)) for each in reports]
    template = environment(Path(__file__).parent).get_template("gallery.html.jinja")
    text = template.render(
        reports=shown,
        comparisons=comparisons,
        pictures=any(each.thumbnail for each in shown),
        style=asset(*STYLES),
        theme_script=asset("theme.js"),
        script=asset(*SCRIPTS),
    )
    page = folder / "index.html"
    page.write_text(printable(text), encoding="utf-8", newline="\n")
    return WrittenGallery(page, len(reports), len(comparisons))


def thumbnail(picture: Path | None) -> str:
    """Return a picture made small as the address that holds it, empty without one that can be read."""
    from PIL import Image

    if picture is None:
        return ""
    try:
        with Image.open(picture) as opened:
            small = opened.convert("RGB")
    except OSError:
        return ""
    small.thumbnail((_WIDTH, _HEIGHT))
    written = BytesIO()
    small.quantize(_COLOURS, dither=Image.Dither.NONE).save(written, "PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(written.getvalue()).decode()}"
