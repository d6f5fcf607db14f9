import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.data.prepared import find_prepared
from harness.store.privacy import without_paths
from reports.build import WrittenReport
from reports.escape import latex, markdown
from reports.figures import FIGURES, NothingToDraw
from reports.figures.pictures import read_predictions, slice_pictures
from reports.figures.selection import choose_cases, reference_loss
from reports.figures.style import panels, styles
from reports.results import ListedLoss, StudyResults

OF_TUNING = {"tuning_curves", "tuning_importance", "tuning_schedules"}
"""Have tests of their own: this study has no searches."""


def test_every_registered_figure_is_written_with_caption_and_alternative_text(
    report: WrittenReport, results: StudyResults
) -> None:
    page = report.page.read_text()
    for name in set(FIGURES) - OF_TUNING:
        files = list(report.page.parent.glob(f"figures/{name}*"))
        assert {path.suffix for path in files} >= {".pdf", ".png"}, name
        assert f'<figure id="{name}' in page


def test_drawings_have_words(results: StudyResults) -> None:
    for name in ("learning_curves", "training_losses", "case_scores"):
        for drawing in FIGURES[name].draw(results):
            assert drawing.name.startswith(name)
            assert drawing.caption.endswith(".")
            assert len(drawing.alt) > 40
            assert drawing.figure.get_figwidth() <= 190 / 25.4 + 1e-6


def test_overlays_are_skipped_without_cache_or_predictions(results: StudyResults, tmp_path: Path) -> None:
    for absent in (replace(results, prepared=tmp_path), replace(results, artifact_root=tmp_path)):
        with pytest.raises(NothingToDraw, match="cache or the predictions"):
            FIGURES["overlays"].draw(absent)


def test_masks_of_another_training_are_not_shown_beside_these_scores(
    results: StudyResults, tmp_path: Path
) -> None:
    shutil.copytree(results.artifact_root, tmp_path, dirs_exist_ok=True)
    here = replace(results, artifact_root=tmp_path)
    case = choose_cases(results, "heads-sim", 0)[0].case
    before = set(read_predictions(here, "heads-sim", 0, case))
    rows = results.artifacts.query("dataset == 'heads-sim' and seed == 0 and label == 'CE'")
    file = tmp_path / rows["path"].iloc[0]
    with np.load(file) as masks:
        np.savez_compressed(file, **{name: np.roll(mask, 1) for name, mask in masks.items()})
    assert before - set(read_predictions(here, "heads-sim", 0, case)) == {"CE"}


def test_overlays_are_skipped_while_test_results_are_closed(results: StudyResults) -> None:
    with pytest.raises(NothingToDraw, match="validation"):
        FIGURES["overlays"].draw(replace(results, part="validation"))


def test_reference_is_plain_cross_entropy(results: StudyResults) -> None:
    assert reference_loss(results).label == "CE"
    without = replace(results, losses=tuple(loss for loss in results.losses if loss.label != "CE"))
    assert reference_loss(without) == without.losses[0]


def test_cases_are_chosen_by_rule(results: StudyResults) -> None:
    chosen = choose_cases(results, "heads-sim", 0)
    assert [case.why for case in chosen] == [
        "10th percentile",
        "50th percentile",
        "90th percentile",
        "largest spread",
    ]
    rows = results.patients.query(
        "dataset == 'heads-sim' and metric == 'dsc' and seed == 0 and label == 'CE'"
    )
    ranked = rows.sort_values("value")["patient"].tolist()
    assert [case.patient for case in chosen[:3]] == [ranked[1], ranked[5], ranked[9]]


def test_volumes_are_turned_to_radiological_sense_and_photographs_are_not(results: StudyResults) -> None:
    for dataset, case_name, turned in (("heads-sim", "p05", True), ("eyes", "q3_left", False)):
        prepared = find_prepared(results.prepared, f"fingerprint-of-{dataset}")
        assert prepared is not None
        case = next(case for case in prepared.cases if case.case == case_name)
        pictures = slice_pictures(prepared, case, read_predictions(results, dataset, 0, case_name))
        truth = np.array(prepared.truth(case))
        plane = truth[np.argmax((truth > 0).sum((1, 2)))]
        assert np.array_equal(pictures.truth, plane[::-1, ::-1] if turned else plane)
        assert pictures.photograph is not turned
        assert set(pictures.predictions) == set(results.labels) - {"none"}


def test_large_families_are_cut_into_panels_and_members_stay_distinct() -> None:
    losses = [ListedLoss(f"loss {number}", "region", "dice") for number in range(13)]
    parts = panels(losses)
    assert [len(members) for _, members in parts] == [5, 5, 3]
    for _, members in parts:
        look = styles(losses)
        assert len({look[loss.label].line for loss in members}) == len(members)


def test_a_family_that_a_plugin_brings_is_drawn_too() -> None:
    losses = [ListedLoss("mine", "topology", "x:Mine"), ListedLoss("CE", "distribution", "ce")]
    assert [family for family, _ in panels(losses)] == ["distribution", "topology"]
    assert styles(losses)["mine"].colour == "#666666"


@pytest.mark.parametrize(
    ("text", "in_latex", "in_markdown"),
    [
        ("50 % of #1", r"50 \% of \#1", r"50 % of \#1"),
        (r"back\slash", r"back\textbackslash{}slash", r"back\\slash"),
        ("two\nlines", "two lines", "two lines"),
        (
            "<b>*x*</b>",
            r"\textless{}b\textgreater{}*x*\textless{}/b\textgreater{}",
            r"&lt;b&gt;\*x\*&lt;/b&gt;",
        ),
    ],
)
def test_escaping(text: str, in_latex: str, in_markdown: str) -> None:
    assert latex(text) == in_latex
    assert markdown(text) == in_markdown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cannot read '/home/jane/x/y.nii.gz': short", "cannot read 'y.nii.gz': short"),
        (r"C:\Users\jane\data\a.png is missing", "a.png is missing"),
        ("~/jane/study.yaml", "study.yaml"),
        ("9 mm/s, 0.5/0.5 and and/or stay", "9 mm/s, 0.5/0.5 and and/or stay"),
    ],
)
def test_folders_are_cut_off(text: str, shown: str) -> None:
    assert without_paths(text) == shown
