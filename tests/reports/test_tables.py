import csv
import io
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from reports.results import StudyResults, measured
from reports.tables import Table, as_csv, as_latex, as_markdown, as_plain_text, class_tables, main_table
from reports.tables.model import Cell


@pytest.fixture(scope="module")
def table(results: StudyResults) -> Table:
    return main_table(results)


def cell(table: Table, label: str, column: int) -> Cell:
    return next(row for row in table.rows if row.label == label).cells[column]


def by_hand(synthetic: ModuleType, results: StudyResults, label: str) -> tuple[float, float]:
    """DSC on the first dataset from the masks themselves."""
    dataset = synthetic.heads()
    error = next(size for name, _, _, size in synthetic.LOSSES if name == label)
    runs = []
    for seed in range(3):
        record = next(t for t in synthetic.trials_of(dataset, 3) if (t.label, t.seed) == (label, seed))
        masks = synthetic.predictions(record, dataset, error, collapsed=False)
        values = []
        for patient in dataset.test:
            mask, truth = masks[patient] == 1, dataset.truths[patient] == 1
            values.append(2 * (mask & truth).sum() / (mask.sum() + truth.sum()))
        runs.append(float(np.mean(values)))
    return float(np.mean(runs)), float(np.std(runs, ddof=1))


def test_cells_agree_with_a_computation_from_the_masks(
    table: Table, synthetic: ModuleType, results: StudyResults
) -> None:
    mean, sd = by_hand(synthetic, results, "Dice")
    assert cell(table, "Dice", 0).text == f"{mean:.3f} ({sd:.3f})"


def test_rows_stand_in_family_order_and_families_in_that_of_the_study(table: Table) -> None:
    families = [family for family, _ in table.families()]
    assert families == ["distribution", "region", "boundary", "compound"]
    assert [row.label for row in table.families()[1][1]] == ["Dice", "GDL"]


def test_best_and_second_best_follow_the_better_direction(table: Table) -> None:
    for column, title in enumerate(column.title for column in table.columns):
        values = {row.label: row.cells[column].value for row in table.rows}
        order = sorted((value, label) for label, value in values.items() if value is not None)
        if "↑" in title:
            order.reverse()
        assert cell(table, order[0][1], column).mark == "best"
        assert cell(table, order[1][1], column).mark == "second"
        assert sum(bool(row.cells[column].mark) for row in table.rows) == 2


def test_collapsed_and_diverged_runs_are_counted_and_listed(table: Table, synthetic: ModuleType) -> None:
    assert cell(table, synthetic.HOSTILE, 0).failures == "1/3"
    assert cell(table, "Boundary", 0).failures == "1/3"
    assert cell(table, "Dice", 0).failures == ""
    note = next(note for note in table.notes if note.startswith("Superscript"))
    assert "Boundary, seed 2 (diverged)" in note
    assert f"{synthetic.HOSTILE}, seed 0 (collapsed)" in note


def test_collapsed_runs_enter_with_their_scores_and_diverged_ones_do_not(
    results: StudyResults, synthetic: ModuleType
) -> None:
    data = main_table(results).data
    seeds = data[(data["dataset"] == "heads-sim") & (data["metric"] == "dsc")].set_index("label")["seeds"]
    assert seeds[synthetic.HOSTILE] == 3
    assert seeds["Boundary"] == 2


def test_notes_say_what_the_numbers_mean(table: Table) -> None:
    text = " ".join(table.notes)
    for needed in (
        "N = 11 test patients",
        "S = 3 seeds",
        "(ddof\u00a01)",
        "best validation DSC",
        "policy 'worst'",
        "imputed: 0 of",
        "SIMULATED data: heads-sim",
        "neither is a test of a difference; † and ★ come from one",
        "multiple comparisons with the best",
        "at most alpha = 0.05",
        "Margins: DSC 0.01; HD95 a factor of 1.1",
    ):
        assert needed in text


def test_a_dataset_with_more_classes_gets_a_supplement(results: StudyResults) -> None:
    (table,) = class_tables(results)
    assert [group for group, _ in table.groups()] == ["disc_rim", "cup"]
    main = main_table(results)
    assert not any(note.startswith("Superscript") for note in table.notes)  # the failures are on other data
    both = [cell(table, "Dice", column).value for column in (0, 3)]
    assert np.mean([value for value in both if value is not None]) == pytest.approx(
        cell(main, "Dice", 3).value
    )


def test_hostile_labels_are_escaped_in_every_format(table: Table, synthetic: ModuleType) -> None:
    assert r"a&amp;b\_&lt;c&gt;\|\$x\$" in as_markdown(table)
    latex = as_latex(table)
    assert r"a\&b\_\textless{}c\textgreater{}\textbar{}\$x\$" in latex
    assert synthetic.HOSTILE not in latex
    rows = list(csv.DictReader(io.StringIO(as_csv(table))))
    assert synthetic.HOSTILE in {row["loss"] for row in rows}


def test_every_markdown_line_has_the_same_number_of_cells(table: Table) -> None:
    lines = [line for line in as_markdown(table).splitlines() if line.startswith("|")]
    assert {line.replace(r"\|", "").count("|") for line in lines} == {len(table.columns) + 2}


def test_latex_marks_best_second_and_failures(table: Table) -> None:
    latex = as_latex(table)
    best = next(row.cells[0].mean for row in table.rows if row.cells[0].mark == "best")
    second = next(row.cells[0].mean for row in table.rows if row.cells[0].mark == "second")
    assert rf"\bfseries {best}" in latex
    assert rf"{second} {{\llap{{\underline{{\phantom{{{second}}}}}}}}}" in latex
    assert "1/3}" in latex
    assert latex.count("{") - latex.count(r"\{") == latex.count("}") - latex.count(r"\}")


def test_terminal_table_is_aligned(table: Table) -> None:
    assert len({len(line) for line in as_plain_text(table).splitlines()}) == 1


def test_csv_keeps_full_precision_and_the_state_of_runs(table: Table) -> None:
    rows: list[dict[str, Any]] = list(csv.DictReader(io.StringIO(as_csv(table))))
    boundary = next(row for row in rows if (row["dataset"], row["loss"]) == ("heads-sim", "Boundary"))
    assert (boundary["runs_diverged"], boundary["seeds"], boundary["part"]) == ("1", "2", "test")
    assert float(boundary["mean"]) == pytest.approx(cell(table, "Boundary", 0).value)


def test_a_published_split_by_case_is_told_in_notes_and_methods(results: StudyResults) -> None:
    from dataclasses import replace

    from reports.methods import methods

    dataset = results.datasets[0]
    torn = replace(
        results, splits={**results.splits, dataset: {"kind": "holdout", "test": ["a"], "by": "case"}}
    )
    note = f"{dataset}: the published split divides cases, not patients"
    assert any(each.startswith(note) for each in main_table(torn).notes)
    assert not any("divides cases" in each for each in main_table(results).notes)
    assert f"but for the published split of {dataset}, which is by case" in methods(torn)[0]
    assert "All divisions are by patient." in methods(results)[0]


def test_distances_in_photographs_are_pixels(results: StudyResults, table: Table) -> None:
    assert "hd95" in results.main_metrics()
    assert any("eyes: photographs of no known size" in note for note in table.notes)
    eyes = measured(results.metrics, results.cases[results.cases["dataset"] == "eyes"])
    units = eyes.set_index("name")["unit"]
    assert units["hd95"] == "px"
    assert units["dsc"] == ""
    assert measured(results.metrics, results.cases).set_index("name").loc["hd95", "unit"] == "mm"
