import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from harness.statistics.expected_validation import expected_best
from reports.figures import FIGURES, Drawing, NothingToDraw
from reports.figures.save import save
from reports.figures.style import styles
from reports.results import ListedLoss, StudyResults

FAMILIES = ["distribution"] * 5 + ["region"] * 7 + ["boundary"] * 3 + ["compound"] * 9 + ["lesion"]
Make = Callable[..., Any]


@pytest.fixture
def make(made_up: ModuleType) -> Make:
    made: Make = made_up.made_up_search
    return made


@pytest.fixture
def tuned(results: StudyResults, made_up: ModuleType, synthetic: ModuleType) -> StudyResults:
    """Three searches on one dataset: an ordinary one, one with alpha, one with a hostile label."""
    make = made_up.made_up_search
    rate = made_up.LEARNING_RATE
    return replace(
        results,
        searches=(
            make("Dice (tuned)", "Dice", level=0.72),
            make("GDL + boundary (tuned)", "Boundary", level=0.74, dimensions=(rate, *made_up.ALPHA)),
            make(f"{synthetic.HOSTILE} (tuned)", synthetic.HOSTILE, dimensions=(rate, made_up.GAMMA)),
        ),
    )


def draw(name: str, results: StudyResults) -> list[Drawing]:
    return FIGURES[name].draw(results)


def texts(figure: Figure) -> list[str]:
    """Everything that is written in a figure."""
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def test_a_study_without_searches_has_no_figure_of_tuning(results: StudyResults) -> None:
    for name in ("tuning_curves", "tuning_importance", "tuning_schedules"):
        assert draw(name, results) == []


def test_every_figure_has_words_numbers_and_fits_the_page(tuned: StudyResults) -> None:
    for name in ("tuning_curves", "tuning_importance", "tuning_schedules"):
        drawings = draw(name, tuned)
        assert drawings
        for drawing in drawings:
            assert drawing.name.startswith(name)
            assert drawing.caption.endswith(".")
            assert len(drawing.alt) > 40
            assert drawing.figure.get_figwidth() <= 190 / 25.4 + 1e-6
    sizes = [text.get_fontsize() for text in drawings[0].figure.axes[0].texts]
    assert min(sizes) >= 6


def test_curves_are_the_expected_best_of_the_values(tuned: StudyResults) -> None:
    curves, bands = draw("tuning_curves", tuned)
    assert (curves.name, bands.name) == ("tuning_curves", "tuning_curves_bands")
    history = tuned.searches[0]
    expected = expected_best([each.value for each in history.tried])
    line = next(line for line in curves.figure.axes[0].lines if line.get_label() == "Dice")
    assert np.asarray(line.get_ydata()) == pytest.approx(expected)
    cost = np.mean([each.seconds for each in history.tried]) / 3600
    in_hours = next(line for line in curves.figure.axes[1].lines if line.get_label() == "Dice")
    assert np.asarray(in_hours.get_xdata()) == pytest.approx(cost * np.arange(1, 21))
    assert curves.data is not None
    own = curves.data[curves.data["loss"] == "Dice (tuned)"]
    assert own["expected"].to_numpy() == pytest.approx(expected)
    assert (own["low"] <= own["expected"]).all()
    assert (own["expected"] <= own["high"]).all()


def test_hostile_labels_are_drawn_as_they_are(tuned: StudyResults, synthetic: ModuleType) -> None:
    for drawing in draw("tuning_curves", tuned):
        assert synthetic.HOSTILE in texts(drawing.figure)


def test_several_folds_are_one_curve_without_a_band(results: StudyResults, make: Make) -> None:
    folds = tuple(
        make("Dice (tuned)", "Dice", fold=fold, folds=3, level=0.6 + 0.1 * fold) for fold in range(3)
    )
    (drawing,) = draw("tuning_curves", replace(results, searches=folds))
    means = np.mean([expected_best([each.value for each in fold.tried]) for fold in folds], axis=0)
    line = drawing.figure.axes[0].lines[0]
    assert np.asarray(line.get_ydata()) == pytest.approx(means)
    assert "the mean over folds" in drawing.caption
    assert drawing.data is not None
    assert drawing.data["low"].isna().all()


def test_pruned_searches_are_drawn_apart_as_best_so_far(
    tuned: StudyResults, made_up: ModuleType, make: Make
) -> None:
    pruned = made_up.pruned(make("CE (tuned)", "CE", "eyes"))
    drawings = draw("tuning_curves", replace(tuned, searches=(*tuned.searches, pruned)))
    assert [drawing.name for drawing in drawings] == [
        "tuning_curves_1_heads-sim",
        "tuning_curves_2_eyes",
        "tuning_curves_bands",
    ]
    steps = drawings[1]
    line = steps.figure.axes[0].lines[0]
    assert line.get_drawstyle() == "steps-post"
    spent = np.cumsum([each.epochs for each in pruned.tried])
    assert np.asarray(line.get_xdata())[-1] == spent[-1]
    assert np.asarray(line.get_ydata())[-1] == pruned.best.value
    assert "no bands" in steps.caption
    assert "6 configurations ended early: the epochs are counted as spent" in steps.caption
    assert "CE" not in texts(drawings[2].figure)


def test_many_losses_are_cut_into_families_with_the_others_in_grey(results: StudyResults, make: Make) -> None:
    losses = tuple(ListedLoss(f"loss {number}", family, "x") for number, family in enumerate(FAMILIES))
    searches = tuple(make(f"{loss.label} (tuned)", loss.label, level=0.6) for loss in losses)
    drawing, bands = draw("tuning_curves", replace(results, losses=losses, searches=searches))
    titles = [axis.get_title(loc="left") for axis in drawing.figure.axes if axis.get_title(loc="left")]
    assert titles == ["distribution", "region", "region", "boundary", "compound", "compound", "lesion"]
    named = [
        handle
        for axis in drawing.figure.axes
        if (legend := axis.get_legend()) is not None
        for handle in legend.get_texts()
    ]
    assert len(named) == 25
    assert "grey" in drawing.caption
    assert sum(axis.axison for axis in bands.figure.axes) == 25


def test_one_configuration_and_failed_searches_are_drawn_as_far_as_they_go(
    results: StudyResults, made_up: ModuleType, make: Make
) -> None:
    one = make("Dice (tuned)", "Dice", number=1)
    none = made_up.failed(make("CE (tuned)", "CE"))
    partial = replace(results, searches=(one, replace(none, finished=False)))
    (drawing,) = draw("tuning_curves", partial)
    assert "Without any value: CE (tuned) on heads-sim." in drawing.caption
    assert "UNFINISHED: 1 of 2 searches" in drawing.caption
    assert draw("tuning_importance", partial)[0].name == "tuning_importance_learning_rate"
    assert draw("tuning_schedules", partial) == []
    for name in ("tuning_curves", "tuning_importance"):
        with pytest.raises(NothingToDraw, match="value"):
            draw(name, replace(results, searches=(none,)))


def test_searches_that_have_not_begun_leave_nothing_to_draw(results: StudyResults, make: Make) -> None:
    begun = replace(make("Dice (tuned)", "Dice"), tried=(), finished=False)
    with pytest.raises(NothingToDraw):
        draw("tuning_curves", replace(results, searches=(begun,)))


def test_importance_leaves_out_losses_with_one_dimension(tuned: StudyResults) -> None:
    importance, rates = draw("tuning_importance", tuned)
    assert importance.data is not None
    assert "Dice (tuned)" not in set(importance.data["loss"])
    sums = importance.data.groupby(["loss", "fold"])["importance"].sum()
    assert sums.to_numpy() == pytest.approx(np.ones(len(sums)))
    assert rates.data is not None
    assert rates.data["chosen"].sum() == 3
    assert len(rates.data) == 60


def test_diverged_configurations_stand_at_the_edge_of_the_scatter(tuned: StudyResults) -> None:
    rates = draw("tuning_importance", tuned)[1]
    assert rates.data is not None
    assert (rates.data["value"] == 0).any()
    assert all(axis.get_ylim()[0] > 0.2 for axis in rates.figure.axes if axis.axison)


def test_chosen_schedules_stand_beside_the_default_of_the_study(tuned: StudyResults) -> None:
    losses = [
        {"label": "Boundary", "alpha": {"schedule": "rebalance", "floor": 0.1, "over": 0.5, "on": "gdl"}}
    ]
    document = replace(tuned.document, resolved={**tuned.document.resolved, "losses": losses})
    (drawing,) = draw("tuning_schedules", replace(tuned, document=document))
    assert "Dashed: the schedule of the default arm." in drawing.caption
    assert drawing.data is not None
    default = drawing.data[drawing.data["arm"] == "default"]
    assert default["region_weight"].iloc[[0, -1]].tolist() == pytest.approx([1.0, 0.1])
    chosen = drawing.data[drawing.data["arm"] == "chosen"]
    assert len(chosen) == tuned.searches[1].epochs
    assert set(chosen["loss"]) == {"GDL + boundary (tuned)"}


def test_a_schedule_that_nobody_knows_any_more_is_left_out(tuned: StudyResults) -> None:
    history = tuned.searches[1]
    tried = tuple(replace(each, alpha={"schedule": "forgotten"}) for each in history.tried)
    assert draw("tuning_schedules", replace(tuned, searches=(replace(history, tried=tried),))) == []


def test_a_tuned_arm_looks_like_its_default_with_a_thicker_line() -> None:
    look = styles(
        [
            ListedLoss("a", "region", "x"),
            ListedLoss("a (tuned)", "region", "x", "a"),
            ListedLoss("b", "region", "x"),
        ]
    )
    assert look["a (tuned)"].width > look["a"].width
    assert replace(look["a (tuned)"], width=look["a"].width) == look["a"]
    alone = styles([ListedLoss("a", "region", "x"), ListedLoss("b", "region", "x")])
    assert alone["b"] == look["b"]


@pytest.mark.full
def test_the_same_searches_give_the_same_bytes(tuned: StudyResults, tmp_path: Path) -> None:
    contents = []
    for _ in range(2):
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()
        for name in ("tuning_curves", "tuning_importance", "tuning_schedules"):
            for drawing in draw(name, tuned):
                save(drawing, tmp_path, "F12")
        contents.append({path.name: path.read_bytes() for path in sorted(tmp_path.iterdir())})
    assert contents[0] == contents[1]
    assert {"tuning_curves.csv", "tuning_curves.pdf", "tuning_importance_learning_rate.png"} <= set(
        contents[0]
    )


def test_a_distance_is_tuned_downwards_and_its_band_has_no_upper_limit(
    results: StudyResults, make: Make
) -> None:
    history = make("Dice (tuned)", "Dice", metric="hd95", higher_is_better=False)
    tried = tuple(replace(each, value=40 * (1 - each.value)) for each in history.tried)
    other = make("CE (tuned)", "CE", metric="hd95", higher_is_better=False, configurations=None, hours=2.5)
    running = replace(other.tried[-1], state="running", value=None, epochs=0, seconds=0.0)
    other = replace(other, tried=(*other.tried[:-1], running), finished=False)
    curves, bands = draw("tuning_curves", replace(results, searches=(replace(history, tried=tried), other)))
    assert any("validation HD95 (mm), better ↓" in text for text in texts(curves.figure))
    assert curves.caption.startswith("BUDGETS DIFFER: ")
    assert "2.5 h of a worker" in curves.caption
    assert curves.data is not None
    own = curves.data[curves.data["loss"] == "Dice (tuned)"]
    assert own["expected"].is_monotonic_decreasing
    assert np.isinf(own["high"]).all()
    assert len(texts(bands.figure)) > 5
    assert draw("tuning_importance", replace(results, searches=(replace(history, tried=tried),)))
