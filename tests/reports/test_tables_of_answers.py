"""Tables that say what the statistics say: verdict, references, planning, pairs, undefined values."""

import csv
import doctest
import io
from dataclasses import replace
from html.parser import HTMLParser
from types import ModuleType

import numpy as np
import pytest

from reports.results import StudyResults, load_results
from reports.tables import NothingToTell, Table, WordTable, as_html, as_markdown, claims, main_table
from reports.tables import printed_rows as printed
from reports.tables.claims import claim_tables
from reports.tables.datasets import dataset_table
from reports.tables.pairs import MOST_ROWS, pair_tables
from reports.tables.planning import planning_tables
from reports.tables.policies import policy_tables
from reports.tables.reference import reference_tables
from reports.tables.registry import AnyTable
from reports.tables.supplements import supplements_of_checkpoints, supplements_of_metrics
from reports.tables.undefined import undefined_tables
from reports.tables.verdict import verdict_tables
from reports.tables.write import words_as_csv, words_as_markdown

LOSSES = 18
COLLAPSED = "Asymmetric"


@pytest.fixture(scope="session")
def wide(wide_study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Eighteen losses on two datasets, of which one always collapses."""
    root = tmp_path_factory.mktemp("answers")
    made = wide_study.Wide(LOSSES, datasets=2, seeds=3, patients=12, collapsed=(COLLAPSED,))
    database = wide_study.make_wide_study(root, made)
    return load_results(database, wide_study.STUDY, root, root, peek=False)


@pytest.fixture(scope="session")
def one_seed(wide_study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    root = tmp_path_factory.mktemp("one_seed")
    database = wide_study.make_wide_study(root, wide_study.Wide(3, datasets=1, seeds=1, patients=8))
    return load_results(database, wide_study.STUDY, root, root, peek=False)


@pytest.fixture(scope="session")
def with_holes(wide: StudyResults) -> StudyResults:
    """The same, but in one run of Dice the distances of two patients are undefined."""
    scores = wide.scores.copy()
    chosen = (
        (scores["label"] == "Dice")
        & (scores["seed"] == 0)
        & (scores["dataset"] == "set0")
        & scores["metric"].isin(["hd", "hd95"])
        & scores["patient"].isin(["p001", "p002"])
    )
    scores["reason"] = scores["reason"].astype(object)
    scores.loc[chosen, "value"] = np.nan
    scores.loc[chosen, "reason"] = "prediction empty"
    return replace(wide, scores=scores)


def words(table: AnyTable) -> WordTable:
    assert isinstance(table, WordTable)
    return table


def column(table: WordTable, title: str) -> dict[str, str]:
    at = table.columns.index(title)
    return {row[0]: row[at] for row in table.rows}


class TestMainTable:
    def test_daggers_are_the_possibly_best_and_stars_the_safe_losses(self, wide: StudyResults) -> None:
        table = main_table(wide)
        assert wide.answer is not None
        for place, answer in enumerate(wide.answer.datasets):
            comparison = answer.primary.comparison
            assert comparison is not None
            marked = {row.label for row in table.rows if "†" in row.cells[3 * place].standing}
            safe = {row.label for row in table.rows if "★" in row.cells[3 * place].standing}
            assert marked == set(comparison.best.names(comparison.best.possibly_best))
            assert safe == set(comparison.best.names(comparison.best.safe))
            assert not any(row.cells[3 * place + 1].standing for row in table.rows)  # HD is not tested

    def test_losses_of_a_family_stand_in_the_order_of_all_figures(self, wide: StudyResults) -> None:
        families = dict(main_table(wide).families())
        assert list(families) == ["distribution", "region", "boundary", "compound"]
        order = [label for label in wide.labels if label in {row.label for row in families["region"]}]
        assert [row.label for row in families["region"]] == order

    def test_with_one_seed_it_says_why_nothing_was_inferred(self, one_seed: StudyResults) -> None:
        table = main_table(one_seed)
        assert not any(cell.standing for row in table.rows for cell in row.cells)
        assert any("No inference was made on set0 (one seed" in note for note in table.notes)

    def test_decimals_show_two_digits_of_the_spread(self, wide: StudyResults) -> None:
        table = main_table(wide)
        spreads = [
            row.cells[2].spread for row in table.rows if row.cells[2].spread and row.label != COLLAPSED
        ]
        assert {len(spread.partition(".")[2]) for spread in spreads} == {2}

    def test_many_failed_runs_are_not_all_named(self, wide: StudyResults) -> None:
        runs = wide.runs.assign(collapsed=True)
        failed = replace(wide)
        failed.__dict__["runs"] = runs
        note = next(note for note in main_table(failed).notes if note.startswith("Superscript"))
        assert f"and {len(runs) - 15} more, which Table T6 counts" in note


class TestPublished:
    @pytest.fixture
    def table(self, wide: StudyResults, monkeypatch: pytest.MonkeyPatch) -> Table:
        found = printed.published_for
        monkeypatch.setattr(
            printed,
            "published_for",
            lambda dataset, expression, **asked: found(
                "wmh2017" if dataset == "set0" else "none", expression, **asked
            ),
        )
        return main_table(wide)

    def test_printed_numbers_stand_in_marked_columns_of_their_dataset(self, table: Table) -> None:
        columns = [each for each in table.columns if each.published]
        assert columns
        assert {each.group for each in columns} == {"set0"}
        first = columns[0]
        assert first.heading == f"{first.title}, printed: Kervadec et al. 2019, Table 1"
        at = table.columns.index(first)
        cells = {row.label: row.cells[at].text for row in table.rows}
        assert cells["GDL"] == "0.727 (0.006)"
        assert cells["Focal"] == "–"
        assert not any(row.cells[at].mark or row.cells[at].standing for row in table.rows)

    def test_a_note_says_where_they_come_from_and_how_they_differ(self, table: Table) -> None:
        note = next(note for note in table.notes if "MIDL 2019" in note)
        for needed in ("not measured here", "Not the same quantity as ours: DSC", "SD over 2 runs", "L_GD"):
            assert needed in note

    def test_beside_simulated_data_they_are_said_to_be_of_real_patients(
        self, wide: StudyResults, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = printed.published_for
        monkeypatch.setattr(
            printed,
            "published_for",
            lambda dataset, expression, **asked: found("wmh2017", expression, **asked),
        )
        scores = wide.scores.assign(dataset=wide.scores["dataset"].astype(str) + "-sim")
        names = tuple(f"{name}-sim" for name in wide.datasets)
        changed = replace(
            wide,
            scores=scores,
            datasets=names,
            splits={f"{name}-sim": split for name, split in wide.splits.items()},
            titles={f"{name}-sim": title for name, title in wide.titles.items()},
            trials=wide.trials.assign(dataset=wide.trials["dataset"] + "-sim"),
            cases=wide.cases.assign(dataset=wide.cases["dataset"] + "-sim"),
            answer=None,
        )
        notes = [note for note in main_table(changed).notes if note.startswith("Printed")]
        assert notes
        assert all("They are of real patients, ours on set0-sim" in note for note in notes)

    def test_they_are_apart_in_the_csv_file_and_in_the_terminal(self, table: Table) -> None:
        from reports.tables import as_csv, as_plain_text

        rows = list(csv.DictReader(io.StringIO(as_csv(table))))
        assert {row["class"] for row in rows if row["source"]} == {"as printed"}
        assert "0.727" not in as_plain_text(table)
        assert "Kervadec et al. 2019" in as_markdown(table)

    def test_without_any_the_table_is_ours_alone(self, wide: StudyResults) -> None:
        assert not any(column.published for column in main_table(wide).columns)


class TestVerdict:
    def test_every_loss_has_its_class_and_its_collapses(self, wide: StudyResults) -> None:
        over, first, second = map(words, verdict_tables(wide))
        assert [over.name, first.name, second.name] == [
            "t2_verdict_over_datasets",
            "t2_verdict_set0",
            "t2_verdict_set1",
        ]
        assert wide.answer is not None
        standings = {row.loss: row.standing for row in wide.answer.datasets[0].primary.rows}
        assert {loss: name.lower() for loss, name in column(first, "Class").items()} == standings
        assert column(first, "Collapsed")[COLLAPSED] == "3/3 (≤ 100 %)"
        assert column(first, "Collapsed")["CE"] == "0/3 (≤ 63 %)"
        assert column(first, "Ranks")[COLLAPSED] == "–"
        assert [row[0] for row in first.rows] == list(wide.labels)

    def test_hours_are_those_of_the_machine(self, wide: StudyResults) -> None:
        first = words(verdict_tables(wide)[1])
        assert column(first, "CPU hours per run")["CE"] == f"{20 / 3600:.4f}"

    def test_with_one_seed_classes_say_so(self, one_seed: StudyResults) -> None:
        [table] = map(words, verdict_tables(one_seed))
        assert set(column(table, "Class").values()) == {"One seed"}
        assert any("there is no answer for DSC" in note for note in table.notes)


class TestComparisons:
    def test_references_have_one_table_for_each_dataset_and_metric(self, wide: StudyResults) -> None:
        tables = list(map(words, reference_tables(wide)))
        assert [table.name for table in tables] == [
            "t3_reference_set0_dsc",
            "t3_reference_set0_hd95",
            "t3_reference_set1_dsc",
            "t3_reference_set1_hd95",
        ]
        assert "Wilcoxon p, conditional on these seeds" in tables[0].columns
        assert wide.answer is not None
        comparison = wide.answer.datasets[0].primary.comparison
        assert comparison is not None
        against = {row.loss: row for row in comparison.versus[0].rows}
        data = tables[0].data
        own = data[data["reference"] == comparison.versus[0].reference].set_index("loss")
        assert own["p_holm"].to_dict() == {loss: row.p for loss, row in against.items()}
        assert COLLAPSED not in set(data["loss"])

    def test_distances_are_compared_by_their_ratio(self, wide: StudyResults) -> None:
        table = words(reference_tables(wide)[1])
        row, data = table.rows[0], table.data.iloc[0]
        assert table.columns[2] == "Ratio of HD95"
        assert float(row[2]) == pytest.approx(np.exp(-data["difference_of_scores"]), abs=0.005)
        low, high = map(float, row[3].split(" to "))
        assert low <= float(row[2]) <= high

    def test_all_pairs_are_in_the_csv_and_as_many_as_fit_are_printed(self, wide: StudyResults) -> None:
        table = words(pair_tables(wide)[0])
        pairs = (LOSSES - 1) * (LOSSES - 2) // 2
        assert len(table.data) == pairs
        assert len(table.rows) == MOST_ROWS < pairs
        assert any(f"Shown are {MOST_ROWS} of {pairs} pairs" in note for note in table.notes)
        assert len(list(csv.DictReader(io.StringIO(words_as_csv(table))))) == pairs

    def test_open_comparisons_are_planned(self, wide: StudyResults) -> None:
        assert wide.answer is not None
        opened = {
            f"t7_planning_{each.dataset}_{cell.block.metric}": cell.comparison.open
            for each in wide.answer.datasets
            for cell in each.cells
            if cell.comparison is not None and cell.comparison.open
        }
        tables = {table.name: words(table) for table in planning_tables(wide)}
        assert tables.keys() == opened.keys()
        for name, table in tables.items():
            assert [row[1] for row in table.rows] == [plan.loss_b for plan in opened[name]]

    def test_claims_are_answered_on_each_dataset_and_over_both(self, wide: StudyResults) -> None:
        [table] = map(words, claim_tables(wide))
        assert [row[1:3] for row in table.rows[:5]] == [
            ("all datasets", "DSC"),
            ("set0", "DSC"),
            ("set0", "HD95"),
            ("set1", "DSC"),
            ("set1", "HD95"),
        ]
        assert wide.answer is not None
        assert wide.answer.over_datasets is not None
        first = wide.answer.over_datasets.claims[0]
        assert table.rows[0][-1].startswith(first.answer)
        assert any("Dice + CE" in note and "built in" in note for note in table.notes)

    def test_without_a_comparison_one_sentence_says_why(self, one_seed: StudyResults) -> None:
        for make in (reference_tables, pair_tables, planning_tables, claim_tables):
            with pytest.raises(NothingToTell, match="one seed says nothing about a loss"):
                make(one_seed)


class TestUndefined:
    def test_collapses_are_counted(self, wide: StudyResults) -> None:
        [table] = map(words, undefined_tables(wide))
        assert [row[:4] for row in table.rows] == [
            ("set0", COLLAPSED, "3", "3"),
            ("set1", COLLAPSED, "3", "3"),
        ]

    def test_undefined_values_are_counted_with_their_reason(self, with_holes: StudyResults) -> None:
        tables = {table.name: words(table) for table in undefined_tables(with_holes)}
        assert tables["t6_undefined"].rows == (
            ("set0", "Dice", "HD and HD95", "36", "2", "6 %", "prediction empty (2)"),
        )
        two_part = tables["t6_two_part"]
        rates = {(row[1], row[2]): row[3] for row in two_part.rows}
        assert rates["HD95", "Dice"] == "6 %"
        assert rates["HD95", "CE"] == "0 %"

    def test_where_nothing_is_undefined_one_sentence_says_so(self, one_seed: StudyResults) -> None:
        with pytest.raises(NothingToTell, match="no run collapsed or diverged, and every value is defined"):
            undefined_tables(one_seed)
        with pytest.raises(NothingToTell, match="no policy for undefined values was needed"):
            policy_tables(one_seed)

    def test_policies_stand_side_by_side(self, with_holes: StudyResults) -> None:
        from harness.statistics.study_answer import answer_study

        assert with_holes.answer is not None
        scores = with_holes.scores.rename(columns={"label": "loss"})
        own = replace(with_holes.answer.results, scores=scores)
        [table] = map(words, policy_tables(replace(with_holes, answer=answer_study(own))))
        assert table.name == "s3_policies_set0_hd95"
        assert table.columns == ("Loss", "HD95, worst ↓", "HD95, complete ↓", "worst rank ↑")
        assert any("†" in cell for row in table.rows for cell in row)


class TestSupplements:
    def test_both_checkpoints_are_shown(self, wide: StudyResults) -> None:
        table = supplements_of_checkpoints(wide)[0]
        assert isinstance(table, Table)
        assert table.groups() == [("best validation DSC", 3), ("last epoch", 3)]
        best, last = (next(row for row in table.rows if row.label == "CE").cells[at].value for at in (0, 3))
        assert best is not None
        assert last == pytest.approx(0.99 * best, abs=0.005)

    def test_metrics_of_the_main_table_alone_need_no_supplement(self, wide: StudyResults) -> None:
        with pytest.raises(NothingToTell, match="no metric was computed beside"):
            supplements_of_metrics(wide)

    def test_datasets_are_described_with_their_discriminability(self, wide: StudyResults) -> None:
        table = dataset_table(wide)
        assert wide.answer is not None
        comparison = wide.answer.datasets[0].primary.comparison
        assert comparison is not None
        row = dict(zip(table.columns, table.rows[0], strict=True))
        assert row["Name"] == "set0"
        assert row["Patients"] == row["Patients scored"] == "12"
        assert row["G"] == f"{comparison.discriminability.value:.2f}"


class _Cells(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.values: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.values += [value for name, value in attrs if name == "data-value" and value]


class TestHtml:
    def test_tables_are_tables_with_captions_and_escaped_labels(
        self, results: StudyResults, synthetic: ModuleType
    ) -> None:
        text = as_html(main_table(results))
        parser = _Cells()
        parser.feed(text)
        assert synthetic.HOSTILE not in text
        assert parser.tags.count("caption") == parser.tags.count("table") == 1
        assert parser.tags.count("strong") == len(main_table(results).columns)
        assert not {"script", "style"} & set(parser.tags)

    def test_numbers_of_words_sort_as_numbers(self, wide: StudyResults) -> None:
        table = words(reference_tables(wide)[0])
        parser = _Cells()
        parser.feed(as_html(table))
        assert float(parser.values[0]) == pytest.approx(float(table.rows[0][2].replace("−", "-")))
        assert "--:" in words_as_markdown(table)


def test_a_claim_begins_with_a_capital_unless_its_first_word_has_its_own() -> None:
    assert doctest.testmod(claims).failed == 0
