"""Learning curves: keys below families, final values beside panels, nothing over a curve."""

from dataclasses import replace
from itertools import pairwise
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Annotation, Text

from reports.figures import FIGURES, Drawing
from reports.figures.family_panels import wrapped
from reports.figures.journals import journal
from reports.figures.label_placement import apart
from reports.figures.paging import PAGE_HEIGHT
from reports.figures.row_panels import text_width
from reports.figures.style import drawing_style
from reports.results import StudyResults, load_results

LONG = "Dice + CE + skeleton recall with a name that no column of any journal can hold on one line"


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, wide_study: ModuleType) -> StudyResults:
    """Losses of four families, seven of one, with hostile names, of one seed on two datasets."""
    root = tmp_path_factory.mktemp("curves")
    losses = [label for label, _, _ in wide_study.CATALOGUE[:16]]
    losses[2:4] = [LONG, "_$x$ a&b"]
    wide = wide_study.Wide(losses=losses, datasets=2, seeds=1, patients=3)
    database = wide_study.make_wide_study(root, wide)
    try:
        return load_results(database, wide_study.STUDY, root, root, peek=False)
    finally:
        database.close()


@pytest.fixture(scope="module")
def drawn(many: StudyResults) -> list[Drawing]:
    """On a narrow page."""
    with journal("springer"):
        return draw(many)


def draw(results: StudyResults) -> list[Drawing]:
    return FIGURES["learning_curves"].draw(results)


def box_of(text: Annotation) -> Any:
    """Return where the words of an annotation stand, without the line to them."""
    return Text.get_window_extent(text)


def numbers(axis: Any) -> list[Annotation]:
    return [text for text in axis.texts if isinstance(text, Annotation)]


def test_every_curve_ends_in_a_number_that_touches_no_other(drawn: list[Drawing]) -> None:
    for drawing in drawn:
        assert drawing.data is not None
        panels = [axis for axis in drawing.figure.axes if axis.lines]
        ends = drawing.data.groupby(["dataset", "label"])["median"].last()
        written = sorted(text.get_text() for axis in panels for text in numbers(axis))
        assert written == sorted(f"{value:.2f}" for value in ends)
        for axis in panels:
            boxes = sorted((box_of(text) for text in numbers(axis)), key=lambda box: box.y0)
            assert all(low.y1 <= high.y0 + 1 for low, high in pairwise(boxes))
            assert all(box.x0 > axis.get_window_extent().x1 for box in boxes)
            assert all(text.get_fontsize() >= 6 for text in numbers(axis))


def test_every_loss_stands_in_one_key_and_no_key_on_a_panel(drawn: list[Drawing], many: StudyResults) -> None:
    for drawing in drawn:
        axes = drawing.figure.axes
        keys = [axis.get_legend() for axis in axes if axis.get_legend() is not None]
        assert sum(len(key.get_texts()) for key in keys) == len(many.losses)
        panels = [axis.get_window_extent() for axis in axes if axis.lines]
        page = drawing.figure.bbox
        for box in (key.get_window_extent() for key in keys):
            assert not any(box.overlaps(panel) for panel in panels)
            assert page.x0 <= box.x0 < box.x1 <= page.x1 + 1
            assert page.y0 - 1 <= box.y0


def test_all_datasets_stand_above_one_key_on_a_page_of_a_journal(drawn: list[Drawing]) -> None:
    assert [each.name for each in drawn] == ["learning_curves"]
    assert drawn[0].figure.get_figheight() <= PAGE_HEIGHT


def test_a_curve_that_ends_early_has_a_number_without_a_line(many: StudyResults) -> None:
    curves = many.curves
    curves = curves[curves["label"].isin(["CE", "Dice"]) & (curves["dataset"] == "set0")]
    few = replace(many, curves=curves[(curves["label"] != "CE") | (curves["epoch"] < 3)])
    (drawing, *_) = draw(few)
    lacking = [text for axis in drawing.figure.axes for text in numbers(axis) if text.arrow_patch is None]
    assert len(lacking) == 1
    assert "not to the number of a loss all of whose runs stopped early" in drawing.caption


def test_one_epoch_is_drawn_too(many: StudyResults) -> None:
    curves = many.curves[many.curves["label"].isin(["CE", "Dice"]) & (many.curves["dataset"] == "set0")]
    (drawing, *_) = draw(replace(many, curves=curves[curves["epoch"] == curves["epoch"].min()]))
    assert any(line.get_marker() not in ("None", "") for axis in drawing.figure.axes for line in axis.lines)


def test_labels_of_one_edge_keep_apart_and_near_their_heights() -> None:
    found = np.array(apart([0.0, 10.0, 10.0, 10.0, 99.0], 8.0, (0.0, 100.0)))
    assert (np.diff(found) >= 8.0 - 1e-9).all()
    assert found[0] >= 4.0
    assert found[-1] == pytest.approx(96.0)
    assert apart([50.0, 50.0], 8.0, (0.0, 100.0)) == pytest.approx([46.0, 54.0])
    assert apart([], 8.0, (0.0, 100.0)) == []


@pytest.mark.parametrize("label", [LONG, "x" * 300, "_$x$ a&b", "Dice"])
def test_names_in_keys_take_two_lines_at_most(label: str) -> None:
    with drawing_style():
        lines = wrapped(label, 80.0).split("\n")
        assert len(lines) <= 2
        assert all(text_width(line) <= 80.0 for line in lines)
        assert wrapped("Dice", 80.0) == "Dice"
