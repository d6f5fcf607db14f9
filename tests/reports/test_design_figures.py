"""F7 to F10: ranks over datasets, sources of variance, planning, overlap against boundary."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from itertools import combinations, permutations
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scikit_posthocs

from reports.figures.critical_difference import critical_difference, groups, lanes
from reports.figures.journals import journal, page_width
from reports.figures.label_placement import Surroundings, place_labels
from reports.figures.paging import PAGE_HEIGHT
from reports.figures.pareto_front import pareto_front
from reports.figures.planning_contours import planning_contours
from reports.figures.registry import Drawing, NothingToDraw
from reports.figures.style import drawing_style
from reports.figures.variance_sources import variance_sources
from reports.results import StudyResults, load_results

Make = Callable[..., StudyResults]
FIGURES = (critical_difference, variance_sources, planning_contours, pareto_front)


@pytest.fixture(scope="session")
def make(tmp_path_factory: pytest.TempPathFactory, wide_study: ModuleType) -> Make:
    def made(**wide: Any) -> StudyResults:
        root = tmp_path_factory.mktemp("design")
        database = wide_study.make_wide_study(root, wide_study.Wide(**wide))
        try:
            return load_results(database, wide_study.STUDY, root, root, peek=False)
        finally:
            database.close()

    return made


@pytest.fixture(scope="session")
def several(make: Make) -> StudyResults:
    """Six losses on three datasets."""
    return make(losses=6, datasets=3, seeds=3, patients=12)


@pytest.fixture(scope="session")
def drawn(several: StudyResults) -> dict[str, Drawing]:
    return {drawing.name: drawing for draw in FIGURES for drawing in draw(several)}


@pytest.fixture(scope="session")
def lone(make: Make) -> StudyResults:
    """One dataset."""
    return make(losses=3, datasets=1, seeds=3, patients=12)


@pytest.fixture(scope="session")
def once(make: Make) -> StudyResults:
    """One seed."""
    return make(losses=3, datasets=2, seeds=1, patients=12)


def test_every_figure_has_words_and_numbers(drawn: dict[str, Drawing]) -> None:
    assert list(drawn) == [
        "critical_difference",
        "variance_sources",
        "planning_contours",
        "pareto_front",
        "pareto_front_quadrants",
    ]
    for drawing in drawn.values():
        assert drawing.caption.endswith(".")
        assert "N = 12 test patients and S = 3 seeds" in drawing.caption
        assert len(drawing.alt) > 40
        assert drawing.data is not None
        assert len(drawing.data)
        assert drawing.figure.get_figwidth() <= page_width() + 1e-9


@pytest.mark.parametrize("draw", FIGURES)
def test_one_seed_is_answered_by_a_sentence(draw: Callable[..., Any], once: StudyResults) -> None:
    with pytest.raises(NothingToDraw, match=r"^No .*one seed says nothing about a loss.*\.$"):
        draw(once)


@pytest.mark.parametrize("draw", FIGURES)
def test_without_an_answer_the_reason_is_given(draw: Callable[..., Any], lone: StudyResults) -> None:
    with pytest.raises(NothingToDraw, match="no run is complete yet"):
        draw(replace(lone, answer=None, no_answer="no run is complete yet"))


def test_ranks_over_the_patients_of_one_dataset_are_not_sold_as_ranks_of_losses(lone: StudyResults) -> None:
    with pytest.raises(NothingToDraw, match="one dataset"):
        critical_difference(lone)


def test_ranks_and_critical_difference_are_those_of_scikit_posthocs(
    several: StudyResults, drawn: dict[str, Drawing]
) -> None:
    means = several.run_values[several.run_values["metric"] == "dsc"].pivot_table(
        index="dataset", columns="label", values="value"
    )
    peer_ranks = means.rank(axis=1, ascending=False).mean()
    data = drawn["critical_difference"].data
    assert data is not None
    shown = data.set_index("loss")
    pd.testing.assert_series_equal(
        shown["mean_rank"].sort_index(), peer_ranks, check_names=False, check_index_type=False
    )
    peer = scikit_posthocs.posthoc_nemenyi_friedman(means)
    for a, b in combinations(shown.index, 2):
        apart = abs(shown.loc[a, "mean_rank"] - shown.loc[b, "mean_rank"])
        assert (apart > shown.loc[a, "critical_difference"]) == (peer.loc[a, b] < 0.05)
        together = set(shown.loc[a, "nemenyi_groups"].split()) & set(shown.loc[b, "nemenyi_groups"].split())
        assert bool(together) == (peer.loc[a, b] >= 0.05)


def test_caption_says_what_ranks_forget_and_what_three_datasets_can_show(drawn: dict[str, Drawing]) -> None:
    caption = drawn["critical_difference"].caption
    assert "Ranks ignore the size of differences" in caption
    assert "cannot go below p 0.25" in caption


def test_bars_join_runs_of_which_no_two_differ() -> None:
    alike = np.ones((4, 4), bool)
    alike[0, 2:] = alike[2:, 0] = False
    alike[1, 3] = alike[3, 1] = False
    assert groups(alike) == ((0, 1), (1, 2), (2, 3))
    assert groups(np.eye(3, dtype=bool)) == ()
    assert groups(np.ones((3, 3), bool)) == ((0, 2),)


def test_bars_that_would_touch_stand_in_lanes_of_their_own() -> None:
    mean = np.array([1.0, 1.5, 3.0, 4.0])
    assert lanes([(0, 1), (1, 2), (2, 3)], mean) == [[(0, 1), (2, 3)], [(1, 2)]]


def test_shares_of_variance_are_against_the_reference_and_sum_to_one(drawn: dict[str, Drawing]) -> None:
    data = drawn["variance_sources"].data
    assert data is not None
    assert set(data["loss_b"]) == {"CE"}
    assert np.allclose(data.groupby(["dataset", "loss_a"])["share"].sum(), 1.0)
    assert set(data["source"]) == {"patients", "seeds", "residual"}
    assert (data["standard_error"] > 0).all()
    words = [text.get_text() for axis in drawn["variance_sources"].figure.axes for text in axis.texts]
    assert sum("G = " in each for each in words) == 3


def test_planning_marks_the_present_design_and_gets_finer_with_more_of_both(
    several: StudyResults, drawn: dict[str, Drawing]
) -> None:
    data = drawn["planning_contours"].data
    assert data is not None
    assert (data["margin"] == 0.01).all()
    now = data[data["present"]]
    assert now[["patients", "seeds"]].to_numpy().tolist() == [[12, 3]] * len(several.datasets)
    for _, own in data.groupby("dataset"):
        table = own.pivot_table(index="seeds", columns="patients", values="detectable").to_numpy()
        assert table[-1, -1] == table.min()
        assert (np.diff(table[:, -1]) < 0).all()
    assert "two-sided at 0.01:" in drawn["planning_contours"].caption


def test_points_lie_inside_their_intervals_and_the_front_is_not_beaten(drawn: dict[str, Drawing]) -> None:
    data = drawn["pareto_front"].data
    assert data is not None
    for metric in ("dsc", "hd95"):
        assert data[metric].between(data[f"{metric}_low"], data[f"{metric}_high"]).all()
    for _, own in data.groupby("dataset"):
        for _, loss in own.iterrows():
            better = (own["dsc"] >= loss["dsc"]) & (own["hd95"] <= loss["hd95"])
            assert (better.sum() == 1) == loss["on_front"]
        assert own["membership"].sum() >= 1


def test_better_is_right_and_up(drawn: dict[str, Drawing]) -> None:
    for axis in drawn["pareto_front"].figure.axes[:3]:
        assert axis.get_xlabel() == "DSC, better →"
        assert axis.get_ylabel() == "HD95 (mm), better ↑"
        ticks = [float(text.get_text()) for text in axis.get_yticklabels()]
        assert ticks == sorted(ticks)
        assert (np.diff(axis.get_yticks()) < 0).all()


def test_names_of_losses_do_not_overlap(drawn: dict[str, Drawing]) -> None:
    figure = drawn["pareto_front"].figure
    figure.draw_without_rendering()
    for axis in figure.axes[:3]:
        boxes = [text.get_window_extent() for text in axis.texts if text.get_text().endswith(" %)")]
        assert len(boxes) == 6
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_quadrants_count_every_patient_once(drawn: dict[str, Drawing]) -> None:
    data = drawn["pareto_front_quadrants"].data
    assert data is not None
    parts = data[["both_better", "first_only", "second_only", "both_worse", "no_difference"]]
    assert np.allclose(parts.sum(axis=1), 1.0)
    assert set(data["reference"]) == {"CE"}


def test_two_losses_are_enough(make: Make) -> None:
    results = make(losses=2, datasets=2, seeds=3, patients=8)
    for draw in FIGURES:
        assert draw(results)


def test_a_study_without_boundary_metric_has_no_front(lone: StudyResults) -> None:
    assert lone.answer is not None
    bare = tuple(replace(each, boundary=None, front=None) for each in lone.answer.datasets)
    with pytest.raises(NothingToDraw, match="no boundary metric"):
        pareto_front(replace(lone, answer=replace(lone.answer, datasets=bare)))


def test_a_dataset_without_a_comparison_is_named_in_the_caption(several: StudyResults) -> None:
    assert several.answer is not None
    first, *rest = several.answer.datasets
    advice = replace(first.primary.recommendation, loss=None, why="3 patients are too few")
    primary = replace(first.primary, comparison=None, recommendation=advice)
    answer = replace(several.answer, datasets=(replace(first, primary=primary), *rest), over_datasets=None)
    [drawing] = variance_sources(replace(several, answer=answer))
    assert "Left out: set0 (3 patients are too few)." in drawing.caption
    with pytest.raises(NothingToDraw, match="2 of 3 datasets"):
        critical_difference(replace(several, answer=answer))


@pytest.mark.parametrize("style", [pytest.param("elsevier", marks=pytest.mark.full), "springer"])
def test_nothing_is_clipped_or_too_small_with_hostile_names(style: str, make: Make) -> None:
    labels = ["a&b_<c>|$x$", "ü" * 60, "_hidden", "100% \\loss{}#~^", "=SUM(A1)"]
    results = make(losses=labels, datasets=2, seeds=3, patients=8)
    with journal(style), drawing_style():
        for drawing in (drawing for draw in FIGURES for drawing in draw(results)):
            drawing.figure.draw_without_rendering()
            edge, texts = drawing.figure.bbox, list(_texts(drawing))
            assert any("ü" in text.get_text() for text in texts) or "planning" in drawing.name
            for text in texts:
                assert text.get_fontsize() >= 6, (drawing.name, text.get_text())
                box = text.get_window_extent()
                inside = (
                    box.x0 >= -1 and box.x1 <= edge.width + 1 and box.y0 >= -1 and box.y1 <= edge.height + 1
                )
                assert inside, (drawing.name, text.get_text())
            assert drawing.figure.get_figheight() <= PAGE_HEIGHT


def test_the_same_results_give_the_same_drawing(lone: StudyResults) -> None:
    def bytes_of() -> bytes:
        with drawing_style():
            picture = BytesIO()
            pareto_front(lone)[0].figure.savefig(picture, format="svg", metadata={"Date": None})
        return picture.getvalue()

    assert bytes_of() == bytes_of()


def test_names_keep_off_each_other_and_inside_the_frame() -> None:
    random = np.random.default_rng(5)
    points = random.uniform(30, 200, (12, 2))
    sizes = np.column_stack([random.uniform(20, 60, 12), np.full(12, 8.0)])
    around = Surroundings(np.array([0.0, 0.0, 240.0, 220.0]), points, np.empty((0, 2)))
    centres = place_labels(np.full(12, 2.0), sizes, around)
    for a, b in combinations(range(12), 2):
        assert (np.abs(centres[a] - centres[b]) >= (sizes[a] + sizes[b]) / 2).any()
    assert (centres - sizes / 2 >= 0).all()
    assert (centres + sizes / 2 <= (240, 220)).all()
    assert np.array_equal(centres, place_labels(np.full(12, 2.0), sizes, around))


def test_a_name_moves_off_a_bar_and_leads_run_through_no_name() -> None:
    points = np.array([[100.0, 100.0], [104.0, 101.0], [108.0, 99.0], [103.0, 96.0]])
    sizes = np.tile([40.0, 8.0], (4, 1))
    bars = np.array([[0.0, y, 200.0, y] for _, y in points])
    around = Surroundings(np.array([0.0, 0.0, 200.0, 200.0]), points, np.empty((0, 2)), bars)
    centres = place_labels(np.full(4, 2.0), sizes, around)
    for own, other in permutations(range(4), 2):
        lead = points[own] + np.linspace(0, 1, 200)[:, None] * (centres[own] - points[own])
        assert not (np.abs(lead - centres[other]) < sizes[other] / 2).all(axis=1).any()
    for at in range(4):
        assert (np.abs(centres[at, 1] - points[:, 1]) > sizes[at, 1] / 2).all()


def test_many_datasets_go_over_several_pages(several: StudyResults) -> None:
    assert several.answer is not None
    datasets = several.answer.datasets * 5
    answer = replace(several.answer, datasets=tuple(replace(each) for each in datasets))
    with journal("springer"):
        drawings = planning_contours(replace(several, answer=answer))
    assert [drawing.name for drawing in drawings] == [
        "planning_contours_1",
        "planning_contours_2",
        "planning_contours_3",
    ]
    assert all(drawing.figure.get_figheight() <= PAGE_HEIGHT for drawing in drawings)


def _texts(drawing: Drawing) -> Iterator[Any]:
    for text in drawing.figure.findobj(lambda artist: hasattr(artist, "get_fontsize")):
        if text.get_text() and text.get_visible():
            yield text
