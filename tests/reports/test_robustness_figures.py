"""Figures of what the answer hangs on: profiles, heatmap, rankings, thirds, false claims, gradients."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.losses import parse_loss
from harness.statistics.versus import versus_reference
from harness.store.database import open_database
from reports.figures import FIGURES, Drawing, NothingToDraw
from reports.figures.journals import journal, page_width
from reports.figures.paging import PAGE_HEIGHT
from reports.figures.save import save
from reports.losses.gradients import gradient_of
from reports.losses.study_case import study_case, study_maps
from reports.results import StudyResults, load_results

NAMES = (
    "performance_profiles",
    "dataset_heatmap",
    "ranking_robustness",
    "conditional_tertiles",
    "false_claims",
)
HOSTILE = ("a&b_<c>|$x$", "_hidden", "ü" * 60)


def _read(root: Path, study: str = "wide") -> StudyResults:
    database = open_database(f"sqlite:///{root / 'results.db'}")
    return load_results(database, study, root / "prepared", root / "artifacts", peek=False)


@pytest.fixture(scope="session")
def studies(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., StudyResults]:
    """Make and read a wide study; the same one is made once."""
    import importlib.util
    import sys

    name = "lossbench_wide_study"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name("wide_study.py"))
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    made: dict[str, StudyResults] = {}

    def make(**of: Any) -> StudyResults:
        key = repr(sorted(of.items()))
        if key not in made:
            root = tmp_path_factory.mktemp("wide")
            sys.modules[name].make_wide_study(root, sys.modules[name].Wide(**of)).close()
            made[key] = _read(root)
        return made[key]

    return make


@pytest.fixture(scope="session")
def wide(studies: Callable[..., StudyResults]) -> StudyResults:
    return studies(losses=9, datasets=2, seeds=4, patients=15)


def _draw(name: str, results: StudyResults) -> list[Drawing]:
    return FIGURES[name].draw(results)


def _words(drawing: Drawing) -> list[Any]:
    found = drawing.figure.findobj(lambda artist: hasattr(artist, "get_fontsize"))
    return [text for text in found if text.get_text().strip() and text.get_visible()]


@pytest.mark.parametrize("style", ["elsevier", "springer"])
@pytest.mark.parametrize("name", NAMES)
def test_drawings_have_words_numbers_and_fit_the_page(wide: StudyResults, name: str, style: str) -> None:
    with journal(style):
        for drawing in _draw(name, wide):
            assert drawing.name.startswith(name)
            assert drawing.caption.endswith(".")
            assert re.search("15 (test )?patients", drawing.caption)
            assert len(drawing.alt) > 60
            assert drawing.data is not None
            assert len(drawing.data)
            assert drawing.figure.get_figwidth() <= page_width() + 1e-6
            assert drawing.figure.get_figheight() <= PAGE_HEIGHT
            assert min(text.get_fontsize() for text in _words(drawing)) >= 6


@pytest.mark.parametrize("name", NAMES)
def test_hostile_labels_and_two_losses_are_drawn(
    studies: Callable[..., StudyResults], name: str, tmp_path: Path
) -> None:
    for losses in (HOSTILE, 2):
        for drawing in _draw(name, studies(losses=losses, datasets=1, seeds=3, patients=12)):
            assert save(drawing, tmp_path, "F0").pdf.stat().st_size > 1000


@pytest.mark.parametrize("name", NAMES[1:2] + NAMES[3:])
def test_one_seed_gives_a_sentence_in_place_of_comparisons(
    studies: Callable[..., StudyResults], name: str
) -> None:
    with pytest.raises(NothingToDraw, match="one seed"):
        _draw(name, studies(losses=3, datasets=1, seeds=1, patients=8))


@pytest.mark.parametrize("name", NAMES[1:])
def test_collapsed_losses_give_a_sentence(studies: Callable[..., StudyResults], name: str) -> None:
    labels = ("CE", "Weighted CE", "Focal")
    with pytest.raises(NothingToDraw, match=r"^No .*\.$"):
        _draw(name, studies(losses=3, datasets=1, seeds=2, patients=8, collapsed=labels))


def test_a_study_without_answer_gives_a_sentence(wide: StudyResults) -> None:
    for name in NAMES:
        with pytest.raises(NothingToDraw, match="runs lack patients"):
            _draw(name, replace(wide, answer=None, no_answer="runs lack patients"))


# -- performance profiles --------------------------------------------------------------------------


def test_profiles_of_one_seed_say_that_they_speak_of_networks(studies: Callable[..., StudyResults]) -> None:
    one = studies(losses=3, datasets=1, seeds=1, patients=8)
    assert "speak of these networks" in _draw("performance_profiles", one)[0].caption


def test_profiles_show_the_share_of_values_that_reach_a_threshold(wide: StudyResults) -> None:
    drawn = _draw("performance_profiles", wide)[0].data
    assert drawn is not None
    row = drawn[(drawn["dataset"] == "set0") & (drawn["loss"] == "Dice")].iloc[40]
    values = wide.patients.query("dataset == 'set0' and label == 'Dice' and metric == 'dsc'")["value"]
    assert row["share"] == pytest.approx((values >= row["threshold"] - 1e-9).mean())
    assert row["low"] <= row["share"] <= row["high"]


def test_no_panel_of_profiles_has_more_colours_than_a_family(wide: StudyResults) -> None:
    for drawing in _draw("performance_profiles", wide):
        for axis in drawing.figure.axes:
            coloured = [line for line in axis.get_lines() if line.get_zorder() == 3]
            assert len(coloured) <= 6


def test_profiles_are_the_same_every_time(wide: StudyResults) -> None:
    once, again = (_draw("performance_profiles", wide)[0].data for _ in range(2))
    assert once is not None
    assert once.equals(again)


# -- heatmap ---------------------------------------------------------------------------------------


def test_the_heatmap_shows_differences_from_the_reference_in_margins(wide: StudyResults) -> None:
    data = _draw("dataset_heatmap", wide)[0].data
    assert data is not None
    assert wide.answer is not None
    cell = wide.answer.datasets[1].primary
    assert cell.comparison is not None
    versus = versus_reference(cell.block, cell.comparison.parts, ["CE"], cell.asked.margin)[0]
    drawn = data.query("metric == 'dsc' and dataset == 'set1'").set_index("loss")
    for row in versus.rows:
        assert drawn.loc[row.loss, "difference_in_margins"] == pytest.approx(row.difference.difference / 0.01)
        assert drawn.loc[row.loss, "p_holm"] == pytest.approx(row.p)
        assert drawn.loc[row.loss, "words"] == row.words


def test_unresolved_differences_are_hatched_and_resolved_ones_are_bold(wide: StudyResults) -> None:
    drawing = _draw("dataset_heatmap", wide)[0]
    assert drawing.data is not None
    hatched = sum(bool(patch.get_hatch()) for axis in drawing.figure.axes for patch in axis.patches)
    bold = [
        text
        for axis in drawing.figure.axes
        for text in axis.texts
        if text.get_fontweight() == "bold" and text.get_text()[0] in "+−0"
    ]
    assert hatched == (drawing.data["words"] == "not resolved").sum()
    assert len(bold) == drawing.data["words"].str.startswith(("better", "worse")).sum()


def test_colours_of_the_heatmap_are_centred_at_no_difference(wide: StudyResults) -> None:
    bar = _draw("dataset_heatmap", wide)[0].figure.axes[-1]
    low, high = bar.get_xlim()
    assert low == pytest.approx(-high)


# -- rankings --------------------------------------------------------------------------------------


def test_every_ranking_changes_one_choice_of_the_plan(wide: StudyResults) -> None:
    data = _draw("ranking_robustness", wide)[0].data
    assert data is not None
    words = list(dict.fromkeys(data["ranking"]))
    assert words[0] == "as planned"
    assert {"median", "HD95", "checkpoint last", "without seed 0", "without seed 3"} <= set(words)
    assert "collapsed runs too" not in words  # no run collapsed: both estimands are the same
    assert wide.answer is not None
    means = wide.answer.datasets[0].primary.block
    planned = data[data["ranking"] == "as planned"].set_index("loss")["rank"]
    assert planned.idxmin() == means.losses[int(np.argmax(means.means))]
    assert (data[data["ranking"] == "as planned"]["tau_with_plan"] == 1).all()


def test_few_lines_of_the_rankings_are_coloured(wide: StudyResults) -> None:
    axis = _draw("ranking_robustness", wide)[0].figure.axes[0]
    assert sum(line.get_zorder() == 3 for line in axis.get_lines()) == 6
    assert len({text.get_text() for text in axis.texts}) == 9


# -- thirds of the patients ------------------------------------------------------------------------


def test_thirds_hold_all_patients_and_are_called_exploratory(wide: StudyResults) -> None:
    drawing = _draw("conditional_tertiles", wide)[0]
    assert drawing.data is not None
    assert drawing.caption.startswith("Exploratory")
    per_loss = drawing.data.query("descriptor == 'volume_ml'").groupby("loss")["patients"].sum()
    assert (per_loss == 15).all()
    assert (drawing.data["low"] <= drawing.data["difference"]).all()
    assert "q:" in drawing.caption


def test_a_descriptor_that_sorts_patients_alike_is_drawn_once(wide: StudyResults) -> None:
    drawing = _draw("conditional_tertiles", wide)[0]
    assert drawing.data is not None
    assert set(drawing.data["descriptor"]) == {"volume_ml"}  # all images have one size
    assert "sorts the patients in the same way" in drawing.caption


# -- false claims ----------------------------------------------------------------------------------


def test_quadrants_count_every_pair_once_and_are_named(wide: StudyResults) -> None:
    drawing = _draw("false_claims", wide)[0]
    assert drawing.data is not None
    assert (drawing.data.groupby("dataset").size() == 9 * 8 / 2).all()
    claimed = drawing.data[drawing.data["quadrant"] == "claimed, not supported"]
    assert (claimed["p_case_only"] <= 0.05).all()
    assert (claimed["p_crossed"] > 0.05).all()
    texts = " ".join(text.get_text() for text in _words(drawing))
    number = (claimed["dataset"] == "set0").sum()
    assert f"not supported\nwhen seeds count: {number}" in texts


# -- gradient anatomy ------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def anatomy(results: StudyResults) -> Drawing:
    return _draw("gradient_anatomy", results)[0]


def test_the_anatomy_shows_the_losses_of_the_study_on_the_median_case(
    anatomy: Drawing, results: StudyResults
) -> None:
    assert anatomy.data is not None
    shown = {axis.get_gid()[5:] for axis in anatomy.figure.axes if str(axis.get_gid()).startswith("loss-")}
    assert shown == set(anatomy.data["loss"]) <= set(results.labels)
    assert "nearest to the median DSC under CE" in anatomy.caption
    assert "kept mask of CE" in anatomy.caption
    assert anatomy.figure.get_figwidth() == pytest.approx(page_width())


def test_losses_have_the_options_of_their_trials(results: StudyResults) -> None:
    spec = parse_loss({"name": "focal", "gamma": 5.0})
    trials = results.trials.copy()
    trials["canonical"] = [
        {"loss": spec.canonical()} if label == "CE" else canonical
        for label, canonical in zip(trials["label"], trials["canonical"], strict=True)
    ]
    shown = study_case(results)
    assert shown is not None
    maps, lacking = study_maps(replace(results, trials=trials), shown.case)
    assert maps["CE"].norm == pytest.approx(gradient_of(spec.build(), shown.case).norm)
    assert {loss.label for loss in lacking} == {"a&b_<c>|$x$"}  # its expression is no sum of names


def test_without_predictions_the_moved_truth_is_shown_and_named(
    results: StudyResults, tmp_path: Path
) -> None:
    shown = study_case(replace(results, artifact_root=tmp_path))
    assert shown is not None
    assert "truth itself, moved" in shown.case.prediction
    assert shown.case.mismatch.any()


def test_without_a_prepared_cache_there_is_a_sentence(results: StudyResults, tmp_path: Path) -> None:
    with pytest.raises(NothingToDraw, match="prepared cache"):
        _draw("gradient_anatomy", replace(results, prepared=tmp_path))


def test_a_narrow_page_has_fewer_panels_in_a_row_and_nothing_overlaps(results: StudyResults) -> None:
    with journal("springer"):
        drawing = _draw("gradient_anatomy", results)[0]
    assert drawing.figure.get_figwidth() == pytest.approx(122 / 25.4, abs=0.01)
    drawing.figure.draw_without_rendering()
    boxes = [(text.get_text(), text.get_window_extent().padded(-1)) for text in _words(drawing)]
    for at, (one, own) in enumerate(boxes):
        for other, box in boxes[at + 1 :]:
            assert not own.overlaps(box), (one, other)
