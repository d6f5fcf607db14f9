"""F3 to F6: differences from a reference and from the best, ranks, all pairs."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.statistics.study_answer import answer_study
from reports.figures.journals import journal, page_width
from reports.figures.mcb_forest import mcb_forest
from reports.figures.paging import PAGE_HEIGHT
from reports.figures.rank_sets import rank_sets
from reports.figures.reference_forest import reference_forest
from reports.figures.registry import Drawing, NothingToDraw
from reports.figures.save import save
from reports.figures.significance_map import significance_map
from reports.figures.style import drawing_style
from reports.results import StudyResults, load_results

Make = Callable[..., StudyResults]
FIGURES = (reference_forest, mcb_forest, rank_sets, significance_map)
HOSTILE = ("a&b_<c>|$x$", "<script>alert(1)</script>", "ü" * 60, r"100% \loss{}#~^", "=SUM(A1)", "Dice")


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory, wide_study: ModuleType) -> Make:
    def made(**wide: Any) -> StudyResults:
        root = tmp_path_factory.mktemp("comparison")
        database = wide_study.make_wide_study(root, wide_study.Wide(**wide))
        try:
            return load_results(database, wide_study.STUDY, root, root, peek=False)
        finally:
            database.close()

    return made


@pytest.fixture(scope="module")
def few(make: Make) -> StudyResults:
    """Six losses on two datasets, one of which always collapses."""
    return make(losses=6, datasets=2, seeds=3, patients=10, collapsed=("Focal",), spread=0.4)


@pytest.fixture(scope="module")
def drawn(few: StudyResults) -> dict[str, Drawing]:
    return {drawing.name: drawing for draw in FIGURES for drawing in draw(few)}


def data_of(drawing: Drawing) -> pd.DataFrame:
    assert drawing.data is not None
    return drawing.data


def words_on(drawing: Drawing) -> list[str]:
    return [text.get_text() for axis in drawing.figure.axes for text in axis.texts]


def titles_of(drawing: Drawing) -> list[str]:
    return [title for axis in drawing.figure.axes if (title := axis.get_title("left"))]


def test_there_is_a_panel_for_all_datasets_and_one_for_each(drawn: dict[str, Drawing]) -> None:
    for name in ("mcb_forest", "rank_sets", "significance_map"):
        assert titles_of(drawn[name]) == ["All datasets", "set0", "set1"]
        assert list(data_of(drawn[name])["dataset"].unique()) == ["all datasets", "set0", "set1"]
    assert titles_of(drawn["reference_forest"]) == ["set0", "set1"]


def test_losses_stand_in_the_order_of_every_figure(few: StudyResults, drawn: dict[str, Drawing]) -> None:
    for name, column in (
        ("mcb_forest", "loss"),
        ("reference_forest", "loss"),
        ("rank_sets", "loss"),
        ("significance_map", "row"),
    ):
        shown = list(data_of(drawn[name])[column].unique())
        assert shown == [label for label in few.labels if label in shown]
    names = [tick.get_text() for tick in drawn["mcb_forest"].figure.axes[0].get_yticklabels()]
    assert names == list(few.labels)


def test_captions_say_how_many_patients_and_seeds_which_margin_and_level(drawn: dict[str, Drawing]) -> None:
    for name, drawing in drawn.items():
        assert (
            "N = 10 test patients and S = 3 seeds of each loss on each of these datasets." in drawing.caption
        )
        assert "crossed variance" in drawing.caption
        assert drawing.caption.endswith(".")
        assert len(drawing.alt) > 40
        if name != "rank_sets":
            assert "0.01" in drawing.caption
    assert "one-sided at 5 % divided by the number of other losses" in drawn["mcb_forest"].caption
    assert "adjusted by Holm over the comparisons with CE" in drawn["reference_forest"].caption
    assert "adjusted by Holm over all pairs" in drawn["significance_map"].caption
    assert "are no confidence" in drawn["rank_sets"].caption


def test_bounds_of_the_headline_are_those_of_the_answer(few: StudyResults, drawn: dict[str, Drawing]) -> None:
    assert few.answer is not None
    data = data_of(drawn["mcb_forest"]).set_index(["dataset", "loss"])
    for answer in few.answer.datasets:
        for row in answer.primary.rows:
            found = data.loc[answer.dataset, row.loss]
            assert found["class"] == row.standing
            np.testing.assert_equal([found["lower"], found["upper"]], [row.lower, row.upper])
    known = data.dropna()
    assert (known["lower"] <= known["difference_to_best_other"]).all()
    assert (known["difference_to_best_other"] <= known["upper"]).all()


def test_a_loss_that_always_collapses_is_listed_with_its_count(drawn: dict[str, Drawing]) -> None:
    words = words_on(drawn["mcb_forest"])
    assert words.count("collapsed") == 6  # three headings, three losses
    assert words.count("3/3") == 2
    assert words.count("6/6") == 1
    assert "collapsed: Focal" in drawn["mcb_forest"].alt
    assert "Focal" not in set(data_of(drawn["significance_map"])["row"])


def test_no_column_of_collapses_without_any(make: Make) -> None:
    (drawing,) = mcb_forest(make(losses=2, datasets=1, seeds=2, patients=8))
    assert "collapsed" not in words_on(drawing)
    assert "collapsed or diverged runs" not in drawing.caption


def test_every_reference_has_a_figure_of_its_own(few: StudyResults) -> None:
    assert few.answer is not None
    plan = replace(few.answer.results.plan, references=("CE", "Dice", "unknown"))
    answer = answer_study(replace(few.answer.results, plan=plan))
    found = reference_forest(replace(few, answer=answer))
    assert [drawing.name for drawing in found] == ["reference_forest_1", "reference_forest_2"]
    assert [set(data_of(drawing)["reference"]) for drawing in found] == [{"CE"}, {"Dice"}]
    nobody = answer_study(replace(few.answer.results, plan=replace(plan, references=("unknown",))))
    with pytest.raises(NothingToDraw, match=r"none is compared here \(unknown\)\."):
        reference_forest(replace(few, answer=nobody))


def test_intervals_over_patients_alone_stand_beside_the_wider_ones(drawn: dict[str, Drawing]) -> None:
    data = data_of(drawn["reference_forest"])
    assert (data["patients_alone_low"] > data["low"]).all()
    assert (data["patients_alone_high"] < data["high"]).all()
    assert "says nothing about another training" in drawn["reference_forest"].caption
    assert "reference" in words_on(drawn["reference_forest"])


def test_shares_of_ranks_add_up_and_rank_sets_are_those_of_the_answer(
    few: StudyResults, drawn: dict[str, Drawing]
) -> None:
    assert few.answer is not None
    data = data_of(drawn["rank_sets"])
    assert np.allclose(data.groupby(["dataset", "loss"])["share_of_draws"].sum(), 1)
    for answer in few.answer.datasets:
        own = data[data["dataset"] == answer.dataset].drop_duplicates("loss").set_index("loss")
        sets = {row.loss: row.ranks for row in answer.primary.rows if row.ranks is not None}
        assert {loss: (row["set_first"], row["set_last"]) for loss, row in own.iterrows()} == sets


def test_a_pair_is_better_one_way_and_worse_the_other(drawn: dict[str, Drawing]) -> None:
    data = data_of(drawn["significance_map"])
    words = {(row.dataset, row.row, row.column): row.words for row in data.itertuples()}
    turned = {"better": "worse", "worse": "better"}
    assert {each.split(",")[0] for each in words.values()} >= {"better", "worse", "not resolved"}
    for (dataset, row, column), word in words.items():
        start, *rest = word.split(",")
        expected = ",".join([turned.get(start, start), *rest])
        assert words[dataset, column, row] == expected


def test_few_losses_have_their_differences_in_the_cells_and_many_do_not(
    drawn: dict[str, Drawing], many: StudyResults
) -> None:
    assert any(word.startswith("+0.") for word in words_on(drawn["significance_map"]))
    assert "Numbers: the difference" in drawn["significance_map"].caption
    drawings = significance_map(many)
    assert not any(word.startswith("+0.") for word in words_on(drawings[0]))
    assert "Numbers" not in drawings[0].caption


def test_distances_are_drawn_as_factors(few: StudyResults) -> None:
    assert few.answer is not None
    results = replace(few, answer=answer_study(few.answer.results, metric="hd95"))
    for draw, other in ((mcb_forest, "best other"), (reference_forest, "CE")):
        drawing = draw(results)[0]
        axis = drawing.figure.axes[-1 if draw is reference_forest else 0]
        assert axis.get_xlabel() == f"HD95 of {other} ÷ HD95 of the loss, better →"
        ticks = [float(tick.get_text()) for tick in axis.get_xticklabels()]
        assert np.allclose(np.exp(axis.get_xticks()), ticks)
        assert 1.0 in ticks
        assert "a factor of 1.1" in drawing.caption
        assert "ratios of geometric means" in drawing.caption
    assert any(word.startswith("×1.") for word in words_on(significance_map(results)[0]))


def test_unequal_margins_make_the_margin_the_unit_of_all_datasets(few: StudyResults) -> None:
    assert few.answer is not None
    plan = replace(few.answer.results.plan, dataset_margins={"set1": {"dsc": 0.03}})
    answer = answer_study(replace(few.answer.results, plan=plan))
    (drawing,) = mcb_forest(replace(few, answer=answer))
    assert "in margins" in drawing.figure.axes[0].get_xlabel()
    assert "0.01 on set0, 0.03 on set1" in drawing.caption
    assert "in units of each dataset's margin" in drawing.caption


@pytest.mark.parametrize("draw", FIGURES)
def test_one_seed_gives_a_sentence_and_no_figure(draw: Callable[..., Any], make: Make) -> None:
    results = make(losses=3, datasets=2, seeds=1, patients=8)
    with pytest.raises(
        NothingToDraw, match=r"^No .*on set0, set1 \(one seed says nothing about a loss.*\)\.$"
    ):
        draw(results)
    with pytest.raises(NothingToDraw, match=r"^No .*: no run is complete yet\.$"):
        draw(replace(results, answer=None, no_answer="no run is complete yet"))


def test_a_dataset_without_a_comparison_is_left_out_and_named(few: StudyResults) -> None:
    assert few.answer is not None
    second = few.answer.datasets[1]
    reason = replace(second.primary.recommendation, why="too few patients")
    bare = replace(second, primary=replace(second.primary, comparison=None, recommendation=reason))
    answer = replace(few.answer, datasets=(few.answer.datasets[0], bare), over_datasets=None)
    for draw in FIGURES:
        drawing = draw(replace(few, answer=answer))[0]
        assert titles_of(drawing) == ["set0"]
        assert drawing.caption.endswith(" Left out: set1 (too few patients).")


@pytest.fixture(scope="module")
def many(make: Make) -> StudyResults:
    return make(losses=25, datasets=1, seeds=2, patients=8)


@pytest.mark.parametrize("style", [pytest.param("elsevier", marks=pytest.mark.full), "springer"])
def test_twenty_five_losses_fit_on_pages_with_legible_names(style: str, many: StudyResults) -> None:
    with journal(style), drawing_style():
        for draw in FIGURES:
            for drawing in draw(many):
                assert drawing.name.startswith(draw.__name__)
                assert drawing.figure.get_figwidth() == pytest.approx(page_width())
                assert drawing.figure.get_figheight() <= PAGE_HEIGHT
                assert_legible(drawing)


def test_panels_that_find_no_room_go_over_numbered_pages(few: StudyResults) -> None:
    assert few.answer is not None
    plan = replace(few.answer.results.plan, references=("CE", "Dice"))
    answer = answer_study(replace(few.answer.results, plan=plan))
    answer = replace(answer, datasets=answer.datasets * 4)
    with journal("springer"):
        found = {draw.__name__: draw(replace(few, answer=answer)) for draw in FIGURES}
    for name in ("mcb_forest", "rank_sets", "significance_map"):
        pages = found[name]
        assert len(pages) > 1
        assert [page.name for page in pages] == [f"{name}_{number}" for number in range(1, len(pages) + 1)]
        assert pages[0].title.endswith(f", 1 of {len(pages)}")
        assert all(page.figure.get_figheight() <= PAGE_HEIGHT for page in pages)
    names = [page.name for page in found["reference_forest"]]
    assert names[0] == "reference_forest_1_1"
    assert names[-1].startswith("reference_forest_2_")
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("style", [pytest.param("elsevier", marks=pytest.mark.full), "springer"])
def test_hostile_names_stay_on_the_page(style: str, make: Make) -> None:
    results = make(losses=HOSTILE, datasets=2, seeds=2, patients=8)
    with journal(style), drawing_style():
        for draw in FIGURES:
            for drawing in draw(results):
                assert_legible(drawing)


def assert_legible(drawing: Drawing) -> None:
    """No letter is below 6 pt, nothing is off the page, and names of rows do not lie over each other."""
    figure = drawing.figure
    figure.draw_without_rendering()
    page = figure.bbox.padded(2)
    for axis in (each for each in figure.axes if each.axison):
        box = axis.get_tightbbox()
        assert box is not None
        assert page.x0 <= box.x0, (drawing.name, axis.get_title("left"))
        assert box.x1 <= page.x1, (drawing.name, axis.get_title("left"))
        assert page.y0 <= box.y0, (drawing.name, axis.get_title("left"))
        assert box.y1 <= page.y1, (drawing.name, axis.get_title("left"))
        names = [*axis.get_yticklabels(), *axis.get_xticklabels(), axis.xaxis.label]
        assert min(text.get_fontsize() for text in [*axis.texts, *names]) >= 6
        boxes = [text.get_window_extent() for text in axis.get_yticklabels() if text.get_text()]
        steps = -np.diff([(box.y0 + box.y1) / 2 for box in boxes])
        assert (steps > 0.72 * figure.dpi * 6 / 72).all(), drawing.name


def test_the_same_results_give_the_same_bytes(few: StudyResults, tmp_path: Path) -> None:
    written = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        saved = save(rank_sets(few)[0], folder, "F")
        assert saved.csv is not None
        written.append([path.read_bytes() for path in (saved.pdf, saved.png, saved.csv)])
    assert written[0] == written[1]
