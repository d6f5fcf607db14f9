"""The statistics paragraph says what was done, in the numbers of the plan, and cites what it used."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType
from typing import Any

import pytest

from harness.statistics.undefined import POLICIES
from reports import methods_statistics
from reports.bibliography import bibtex, known_entries
from reports.methods import methods
from reports.methods_statistics import IN_TEXT, statistical_works, statistics_methods
from reports.results import StudyResults, load_results

Made = Callable[..., StudyResults]


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, wide_study: ModuleType) -> Made:
    def make(**wide: Any) -> StudyResults:
        root = tmp_path_factory.mktemp("methods")
        database = wide_study.make_wide_study(root, wide_study.Wide(**wide))
        try:
            return load_results(database, wide_study.STUDY, root, root, peek=False)
        finally:
            database.close()

    return make


@pytest.fixture(scope="session")
def small(made: Made) -> StudyResults:
    """Two losses on one dataset."""
    return made(losses=2, datasets=1, seeds=3, patients=8)


@pytest.fixture(scope="session")
def several(made: Made) -> StudyResults:
    """Six losses on three datasets, with a plan of their own."""
    plan = {
        "alpha": 0.04,
        "looks": 2,
        "margins": {"dsc": 0.02, "hd95": 1.25},
        "dataset_margins": {"set1": {"dsc": 0.03}},
        "references": ["Focal"],
    }
    contrast = {"name": "TopK helps", "plus": ["TopK"], "minus": ["CE"]}
    document = {"analysis": plan, "contrasts": [contrast]}
    return made(losses=6, datasets=3, seeds=3, patients=8, document=document)


def paragraph(results: StudyResults) -> str:
    (text,) = statistics_methods(results)
    return text


def test_the_training_reads_like_a_paper(small: StudyResults) -> None:
    training = methods(small)[1]
    assert training.startswith(
        "Every network was a 2D U-Net (16 base channels), trained for 8 epochs with batches of 8 slices by "
        "Adam with a learning rate of 0.001 that falls as (1 - epoch/epochs)^0.9 (poly); single precision "
        "(float32); augmentation: none. Checkpoint"
    )


def test_the_paragraph_ends_the_methods_section(small: StudyResults) -> None:
    assert methods(small)[-1] == paragraph(small)


def test_the_plan_stands_in_its_own_numbers(several: StudyResults) -> None:
    text = paragraph(several)
    assert "at level 0.04, shared evenly by 2 planned looks at test scores" in text
    assert "0.02 (set0), 0.03 (set1) and 0.02 (set2) in DSC" in text
    assert "a factor of 1.25 in HD95" in text
    assert "Comparisons with Focal and those between all pairs" in text
    assert "(1 declared by the study" in text
    assert "10\u00a0000 joint draws" in text


def test_defaults_are_said_too(small: StudyResults) -> None:
    text = paragraph(small)
    assert "at level 0.05. " in text
    assert "up to 0.01 in DSC and a factor of 1.1 in HD95" in text
    assert "policy 'worst'" in text


def test_several_datasets_are_said_to_be_brought_together_as_they_were(several: StudyResults) -> None:
    text = paragraph(several)
    assert "Over the 3 datasets" in text
    assert "in units of its dataset's margin" in text
    assert "Paule and Mandel 1982" in text


def test_two_datasets_say_nothing_about_a_new_one(made: Made) -> None:
    results = made(losses=3, datasets=2, seeds=2, patients=6)
    text = paragraph(results)
    assert "Nothing is said about a new dataset" in text
    assert "Paule" not in text
    assert "paule1982" not in bibtex(results)


def test_only_what_was_done_is_cited(small: StudyResults) -> None:
    assert statistical_works(small) == ("holm1979", "hsu1996", "satterthwaite1946", "schuirmann1987")


def test_moderation_is_cited_where_losses_lent_each_other_variance(several: StudyResults) -> None:
    assert several.answer is not None
    comparison = several.answer.datasets[0].primary.comparison
    assert comparison is not None
    assert comparison.parts.variances.prior.df > 0
    assert "smyth2004" in statistical_works(several)


def test_every_work_that_the_paragraph_cites_is_in_the_bibliography(several: StudyResults) -> None:
    text, entries = paragraph(several), bibtex(several)
    for key, cited in IN_TEXT.items():
        assert (cited in text) == (f"{{{key}," in entries), key
    assert set(IN_TEXT) <= set(known_entries())


def test_a_missing_answer_is_said_with_its_reason(small: StudyResults) -> None:
    results = replace(small, answer=None, no_answer="no run is complete yet")
    assert paragraph(results) == "No loss was tested against another: no run is complete yet."
    assert statistical_works(results) == ()


def test_one_seed_gives_no_comparison_and_no_method_is_claimed(made: Made) -> None:
    results = made(losses=2, datasets=2, seeds=1, patients=6)
    text = paragraph(results)
    assert text.startswith("No losses were compared in DSC and HD95 on set0 and set1: one seed")
    assert statistical_works(results) == ()


def test_validation_scores_are_no_look(small: StudyResults) -> None:
    assert "no look at test scores" in paragraph(replace(small, part="validation"))


def test_other_policies_are_told_where_values_were_undefined(
    small: StudyResults, results: StudyResults
) -> None:
    assert "lachin1999" not in statistical_works(small)
    assert results.answer is not None
    assert any(each.policies for each in results.answer.datasets)
    assert "ranked, undefined ones as the worst (Lachin 1999) (policy 'worst_rank')" in paragraph(results)
    assert "lachin1999" in statistical_works(results)


@pytest.mark.parametrize("policy", POLICIES)
def test_every_policy_has_words(policy: str) -> None:
    assert policy in methods_statistics._POLICIES
