import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from harness.statistics.crossed import crossed_difference
from harness.statistics.expected_validation import expected_best
from harness.store.database import Database
from reports import build
from reports import results as results_module
from reports.build import build_report
from reports.methods import methods
from reports.results import StudyResults, load_results
from reports.tables import WordTable
from reports.tables.tuning import tuning_tables
from reports.tables.write import words_as_latex, words_as_markdown
from reports.tuning.gain import gains

Copy = Callable[[Path], Database]
TUNED = "GDL + boundary (tuned)"


def searches_of(made_up: ModuleType, hostile: str) -> tuple[Any, ...]:
    """Two tuned losses of the study, one of which has both arms, and a hostile one."""
    make, rate = made_up.made_up_search, made_up.LEARNING_RATE
    return (
        make(TUNED, "Boundary", level=0.74, dimensions=(rate, *made_up.ALPHA)),
        make("Dice + CE", "Dice", level=0.75, dimensions=(rate, made_up.WEIGHT)),
        make(f"{hostile} (tuned)", hostile, level=0.72),
    )


@pytest.fixture
def tuned(results: StudyResults, made_up: ModuleType, synthetic: ModuleType) -> StudyResults:
    return replace(results, searches=searches_of(made_up, synthetic.HOSTILE))


def table(results: StudyResults, name: str) -> WordTable:
    return next(each for each in tuning_tables(results) if each.name == name)


def matrix(results: StudyResults, dataset: str, label: str) -> Any:
    rows = results.patients.query("dataset == @dataset and label == @label and metric == 'dsc'")
    return rows.pivot_table(index="patient", columns="seed", values="value")


def test_a_study_without_searches_has_no_tables_of_tuning(results: StudyResults) -> None:
    assert tuning_tables(results) == []
    assert not [paragraph for paragraph in methods(results) if "Optuna" in paragraph]


def test_spaces_are_listed_with_their_conditions(tuned: StudyResults) -> None:
    rows = table(tuned, "t4_tuning_spaces").rows
    assert (TUNED, "learning_rate", "0.0001 to 0.01, logarithmic", "–") in rows
    assert (TUNED, "alpha.rebalance.floor", "0 to 0.5", "alpha.schedule is rebalance") in rows
    assert (TUNED, "alpha.warm_start.over", "0.05 to 0.5", "alpha.warm_start is true") in rows
    assert len(rows) == len(set(rows))


def test_budgets_count_what_was_spent(tuned: StudyResults, made_up: ModuleType) -> None:
    pruned = made_up.pruned(tuned.searches[0])
    found = table(replace(tuned, searches=(pruned, *tuned.searches[1:])), "t4_tuning_budgets")
    row = found.data[found.data["loss"] == TUNED].iloc[0]
    assert row["complete"] + row["pruned"] == 20
    assert row["epochs_spent"] == sum(each.epochs for each in pruned.tried)
    assert row["worker_hours"] == pytest.approx(sum(each.seconds for each in pruned.tried) / 3600)
    assert found.notes[0].startswith("BUDGETS DIFFER")


def test_unequal_epochs_under_equal_budgets_are_told_first(tuned: StudyResults) -> None:
    first = tuned.searches[0]
    shorter = replace(first, tried=(replace(first.tried[0], epochs=3), *first.tried[1:]))
    found = table(replace(tuned, searches=(shorter, *tuned.searches[1:])), "t4_tuning_budgets")
    assert found.notes[0].startswith(f"EPOCHS SPENT DIFFER on heads-sim: from 763 ({TUNED}) to 800")
    assert table(tuned, "t4_tuning_budgets").notes[0] == (
        "Every loss had the same budget: 20 configurations of 40 epochs."
    )


def test_chosen_configurations_stand_with_the_values_of_both_arms(tuned: StudyResults) -> None:
    found = table(tuned, "tuning_chosen")
    row = found.data[found.data["loss"] == TUNED].iloc[0]
    assert row["search_value"] == tuned.searches[0].best.value
    trials = tuned.trials.query("dataset == 'heads-sim' and label == @TUNED", local_dict={"TUNED": TUNED})
    assert row["tuned_value"] == pytest.approx(trials["best_val_dsc"].mean())
    assert "learning rate " in row["chosen"]
    unfinished = replace(tuned, searches=(replace(tuned.searches[0], finished=False),))
    assert table(unfinished, "tuning_chosen").rows[0][3].endswith("(so far)")


def test_a_search_without_values_chose_nothing(tuned: StudyResults, made_up: ModuleType) -> None:
    failed = replace(tuned, searches=(made_up.failed(tuned.searches[0]),))
    assert "none: no configuration has a value" in table(failed, "tuning_chosen").rows[0]
    assert "tuning_leaders" not in {each.name for each in tuning_tables(failed)}
    assert any("20 configurations failed" in note for note in table(failed, "t4_tuning_budgets").notes)


def test_leaders_agree_with_the_curves(tuned: StudyResults) -> None:
    found = table(tuned, "tuning_leaders")
    curves = {each.label: expected_best([one.value for one in each.tried]) for each in tuned.searches}
    for lead in found.data.itertuples():
        for n in (lead.first, lead.last):
            best = max(curves, key=lambda label, n=n: curves[label][n - 1])
            assert lead.loss == best
    assert [found.data["first"].min(), found.data["last"].max()] == [1, 20]
    assert any("no test" in note for note in found.notes)


def test_gain_is_the_crossed_difference_of_the_arms(tuned: StudyResults) -> None:
    gain = next(each for each in gains(tuned) if each.tuned == "Dice + CE")
    default, arm = matrix(tuned, "heads-sim", "Dice"), matrix(tuned, "heads-sim", "Dice + CE")
    assert gain.interval == crossed_difference(arm.to_numpy(), default.to_numpy())
    assert (gain.patients, gain.seeds) == (11, (3, 3))
    by_hand = np.mean(arm.mean(axis=1) - default.mean(axis=1) < -0.01)
    assert gain.harmed == pytest.approx(by_hand)
    row = next(row for row in table(tuned, "tuning_gain").rows if row[1] == "Dice")
    assert row[-1] == "these losses"
    assert re.match(r"[+−]0\.\d{3} \([+−]0\.\d{3} to [+−]0\.\d{3}\)", row[4])


def test_collapsed_and_diverged_runs_do_not_enter_the_gain(tuned: StudyResults) -> None:
    gain = next(each for each in gains(tuned) if each.tuned == TUNED)
    assert gain.seeds == (2, 3)
    assert gain.left_out == (1, 0)
    assert any("Boundary: 1 default and 0 tuned" in note for note in table(tuned, "tuning_gain").notes)


def test_one_seed_speaks_about_networks_only(tuned: StudyResults) -> None:
    one = replace(tuned, scores=tuned.scores[tuned.scores["seed"] == 0])
    row = next(row for row in table(one, "tuning_gain").rows if row[1] == "Dice")
    assert row[-1] == "these trained networks, not these losses"


def test_validation_patients_that_change_with_the_seed_give_no_interval(tuned: StudyResults) -> None:
    scores = tuned.scores
    changing = scores[(scores["patient"] != "p05") | (scores["seed"] != 1)]
    found = table(replace(tuned, scores=changing, part="validation"), "tuning_gain")
    row = next(row for row in found.rows if row[1] == "Dice")
    assert "no interval: patients differ between seeds" in row[4]
    assert "VALIDATION" in found.caption
    assert any(note.startswith("VALIDATION results") for note in found.notes)


def test_hostile_labels_are_escaped(tuned: StudyResults, synthetic: ModuleType) -> None:
    found = table(tuned, "t4_tuning_spaces")
    assert r"a&amp;b\_&lt;c&gt;\|\$x\$ (tuned)" in words_as_markdown(found)
    latex = words_as_latex(found)
    assert synthetic.HOSTILE not in latex
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")
    for each in tuning_tables(tuned):
        lines = [line for line in words_as_markdown(each).splitlines() if line.startswith("|")]
        assert {line.replace(r"\|", "").count("|") for line in lines} == {len(each.columns) + 1}
        assert all(len(row) == len(each.columns) for row in each.rows)


def test_methods_tell_what_was_done(tuned: StudyResults, made_up: ModuleType) -> None:
    text = " ".join(methods(tuned))
    for needed in (
        "random search (Bergstra and Bengio, JMLR 13:281, 2012)",
        "Akiba et al., KDD 2019",
        "Dodge et al., EMNLP 2019",
        "Lourie et al., NAACL 2024",
        "20 configurations of 40 epochs",
        "Every configuration was trained to the end",
        "test patients were never read",
        "with a learning rate of 0.001 in the default arms",
    ):
        assert needed in text
    assert "was found by random search over" not in text
    pruned = " ".join(methods(replace(tuned, searches=(made_up.pruned(tuned.searches[0]),))))
    assert "Parzen" in pruned
    assert "the median rule" in pruned
    assert "Lourie" not in pruned


def test_a_transferred_schedule_is_named(tuned: StudyResults) -> None:
    losses = [{"label": "Taken", "alpha": {"schedule": "constant", "tuned_in": "other / eyes / fold 0 / X"}}]
    document = replace(tuned.document, resolved={**tuned.document.resolved, "losses": losses})
    taken = replace(tuned, document=document)
    assert any("Taken (other / eyes / fold 0 / X)" in each for each in methods(taken))
    assert any("Taken (other" in note for note in table(taken, "t4_tuning_spaces").notes)
    assert any("Taken (other" in each for each in methods(replace(taken, searches=())))


class TestPage:
    @pytest.fixture(autouse=True)
    def searches(
        self, monkeypatch: pytest.MonkeyPatch, made_up: ModuleType, synthetic: ModuleType
    ) -> tuple[Any, ...]:
        found = searches_of(made_up, synthetic.HOSTILE)
        monkeypatch.setattr(results_module, "_searches", lambda *_: found)
        return found

    @pytest.mark.full
    def test_section_holds_the_figures_in_one_sequence_with_all_others(
        self, finished: Path, copy_of: Copy, tmp_path: Path
    ) -> None:
        built = build_report(
            copy_of(finished), "made-up", tmp_path / "out", finished / "prepared", finished / "artifacts"
        )
        page = built.page.read_text()
        section = page[page.index('<section id="tuning">') :].split("</section>")[0]
        for name in ("tuning_curves", "tuning_curves_bands", "tuning_importance", "tuning_schedules"):
            assert f'<figure id="{name}"' in section
            assert {path.suffix for path in built.page.parent.glob(f"figures/{name}.*")} >= {".pdf", ".png"}
        assert 'download="tuning_curves.csv"' in section
        numbers = [int(number) for number in re.findall(r"<strong>Figure (\d+)\.", page)]
        assert numbers == list(range(1, len(numbers) + 1))

    def test_section_holds_the_tables_and_begins_with_the_budget(
        self, finished: Path, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build, "save_figures", lambda *_: ([], []))
        built = build_report(copy_of(finished), "made-up", tmp_path / "out", finished, finished)
        page = built.page.read_text()
        section = page[page.index('<section id="tuning">') :].split("</section>")[0]
        assert 'href="#tuning"' in page
        assert "<ul><li>Every loss had the same budget" in section
        for name in ("t4_tuning_spaces", "t4_tuning_budgets", "tuning_chosen", "tuning_leaders"):
            assert f'id="table-{name}"' in section
            files = {path.suffix for path in built.page.parent.glob(f"tables/{name}.*")}
            assert files == {".md", ".csv", ".tex", ".html"}
        assert section.index("table-tuning_gain") < section.index("table-t4_tuning_budgets")

    def test_losses_know_their_default_arm(self, finished: Path, copy_of: Copy) -> None:
        results = load_results(copy_of(finished), "made-up", finished, finished, peek=False)
        arms = {loss.label: loss.tuned_from for loss in results.losses}
        assert arms[TUNED] == "Boundary"
        assert arms["Dice"] is None

    def test_same_searches_give_the_same_page(
        self, finished: Path, copy_of: Copy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(build, "save_figures", lambda *_: ([], []))
        database = copy_of(finished)
        pages = [
            build_report(database, "made-up", tmp_path / name, finished, finished).page.read_bytes()
            for name in ("a", "b")
        ]
        assert pages[0] == pages[1]


@pytest.mark.parametrize(("which", "planned"), [("all", 78), (["Dice", TUNED], 48), ([], 42)])
def test_trials_of_tuned_arms_are_missing_until_they_are_there(
    synthetic: ModuleType, tmp_path: Path, which: Any, planned: int
) -> None:
    """Or a study would look finished, and open its test results, before they are trained."""
    study = synthetic.make_study(tmp_path, tuning={"configurations": 4, "losses": which})
    results = load_results(study.database, "made-up", study.prepared, study.artifacts, peek=False)
    assert results.progress.planned == planned
    assert results.part == ("test" if planned == 42 else "validation")
