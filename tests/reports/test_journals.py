"""Figures as journals want them: their width, type that is embedded and not too small, sane in grey."""

import re
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from harness.errors import InputError
from reports.figures import FIGURES, Drawing, NothingToDraw
from reports.figures.journals import JOURNALS, journal, page_width
from reports.figures.paging import PAGE_HEIGHT
from reports.figures.save import save
from reports.figures.style import FAMILY_COLOURS, styles
from reports.results import ListedLoss, StudyResults

MILLIMETRES = {"elsevier": 190, "ieee": 181.9, "mdpi": 184.6, "nature": 183, "slides": 127, "springer": 122}


@pytest.fixture(scope="module")
def drawn(results: StudyResults) -> Callable[[str], list[Drawing]]:
    """A function from a style to every drawing that the study has data for, drawn once."""

    @cache
    def in_style(style: str) -> list[Drawing]:
        with journal(style):
            return drawings(results)

    return in_style


def drawings(results: StudyResults) -> list[Drawing]:
    found = []
    for entry in FIGURES.values():
        try:
            found += entry.draw(results)
        except NothingToDraw:
            continue
    return found


def test_every_style_has_the_width_of_its_journal() -> None:
    assert set(JOURNALS) == set(MILLIMETRES)
    for name, width in MILLIMETRES.items():
        with journal(name):
            assert page_width() * 25.4 == pytest.approx(width, abs=0.05)


def test_an_unknown_style_is_refused_with_the_nearest_name() -> None:
    with (
        pytest.raises(InputError, match="unknown style 'elsevir'; did you mean 'elsevier'"),
        journal("elsevir"),
    ):
        pass


@pytest.mark.parametrize(
    "style",
    ["springer", *(pytest.param(name, marks=pytest.mark.full) for name in JOURNALS if name != "springer")],
)
def test_figures_fit_the_page_and_no_type_is_below_six_points(
    style: str, drawn: Callable[[str], list[Drawing]]
) -> None:
    found = drawn(style)
    assert len(found) >= 10
    with journal(style):
        for drawing in found:
            assert drawing.figure.get_figwidth() <= page_width() + 1e-6, drawing.name
            assert drawing.figure.get_figheight() <= PAGE_HEIGHT + 0.5, drawing.name
            words = [each for each in drawing.figure.findobj(Text) if each.get_text() and each.get_visible()]
            small = {each.get_text() for each in words if each.get_fontsize() < 5.999}
            assert not small, f"{drawing.name}: {small}"


def test_fonts_are_embedded_as_truetype(results: StudyResults, tmp_path: Path) -> None:
    (drawing,) = FIGURES["case_scores"].draw(results)
    found = save(drawing, tmp_path, "F2").pdf.read_bytes()
    for stream in re.findall(rb"stream\r?\n(.*?)endstream", found, re.DOTALL):
        found += zlib.decompressobj().decompress(stream) if stream[:1] == b"x" else b""
    assert b"/FontFile2" in found
    assert b"/Type3" not in found


def test_losses_are_told_apart_without_colour() -> None:
    """Families by luminance, members of one by line and marker."""
    luminance = [0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in map(to_rgb, FAMILY_COLOURS.values())]
    assert len({round(value, 2) for value in luminance}) == len(luminance)
    losses = [ListedLoss(f"loss {number}", "region", "dice", None, number) for number in range(12)]
    look = styles(losses)
    assert len({(str(each.line), each.marker) for each in look.values()}) == len(losses)


def test_a_loss_looks_the_same_wherever_it_ranks() -> None:
    losses = [ListedLoss(f"loss {number}", "region", "dice", None, number) for number in range(5)]
    assert styles(losses) == styles(losses[::-1])


def test_every_drawing_has_words_and_numbers(drawn: Callable[[str], list[Drawing]]) -> None:
    for drawing in drawn("springer"):
        assert drawing.caption.endswith((".", ".)")), drawing.name
        assert len(drawing.caption) > 80, drawing.name
        assert len(drawing.alt) > 40, drawing.name
        assert drawing.data is not None or drawing.image, drawing.name
