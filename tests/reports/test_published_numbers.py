"""Every printed number can be seen beside ours, in the table and the cell where a reader looks for it."""

import re
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any, TypeAlias

import pytest

from harness.metrics import METRICS
from harness.published import STUDIES, PublishedNumber, published_numbers
from reports.results import StudyResults
from reports.tables import Table, as_csv, as_latex, class_tables, main_table
from reports.tables.registry import AnyTable
from reports.tables.relative_changes import relative_change_tables
from reports.tables.scores import main_tables
from reports.tables.supplements import supplements_of_metrics

OF_NO_LOSS = "it stands beside no loss of ours"
TITLES = {**{name: f"{metric.title} " for name, metric in METRICS.items()}, "nsd": "NSD, tolerance unknown "}

MAKERS: dict[str, Callable[[StudyResults], Sequence[AnyTable]]] = {
    "t1": main_tables,
    "s1": class_tables,
    "s2": supplements_of_metrics,
    "s7": relative_change_tables,
}

Make: TypeAlias = Callable[..., StudyResults]


@pytest.fixture(scope="module")
def make(papers: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """Make a study from rows (label, loss, alpha in words) and datasets."""

    def made(rows: list[tuple[str, str, str]], datasets: list[str], **rest: Any) -> StudyResults:
        lines = [papers.Line(label, loss, papers.alpha_of(alpha)) for label, loss, alpha in rows]
        asked = papers.Papers(lines, datasets, **rest)
        found: StudyResults = papers.make_papers(tmp_path_factory.mktemp("papers"), asked)
        return found

    return made


def printed(table: Table, label: str) -> dict[str, str]:
    """Return the printed cells of a row by what stands above them."""
    row = next(row for row in table.rows if row.label == label)
    cells = zip(table.columns, row.cells, strict=True)
    return {f"{column.group}: {column.heading}": cell.text for column, cell in cells if column.published}


class TestEveryNumber:
    def where(self, number: PublishedNumber) -> list[str]:
        """Return the tables that have to show a number."""
        if number.relative:
            return ["t1", "s7_relative_changes"]
        if number.class_name:
            return [f"s1_classes_{number.dataset}"]
        return [f"s2_metrics_{number.dataset}"] if number.metric == "nsd" else ["t1"]

    def cells(self, table: Table, label: str, number: PublishedNumber) -> list[str]:
        """Return the cells of a row in the columns of a number's source, structure, metric and dataset."""
        source = number.source
        origin = ", ".join([source.short, *re.findall(r"^Table [^,]*", source.table)])
        origins = {origin, f"{origin}, {number.printed_dataset}"}
        start = "Relative change of DSC" if number.relative else TITLES[number.beside]
        (row,) = [row for row in table.rows if row.label == label]
        return [
            row.cells[at].text
            for at, column in enumerate(table.columns)
            if column.group == (number.class_name or number.dataset)
            and column.published in origins
            and column.title.startswith(start)
        ]

    @pytest.mark.parametrize("study", STUDIES)
    def test_is_seen_beside_its_loss(
        self, study: str, papers: ModuleType, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        results = papers.make_papers(tmp_path_factory.mktemp(study), papers.study_of_paper(study))
        needed = {name for each in published_numbers(study) if each.expression for name in self.where(each)}
        tables = {
            table.name: table
            for beginning, make_tables in MAKERS.items()
            if any(name.startswith(beginning) for name in needed)
            for table in make_tables(results)
            if isinstance(table, Table)
        }
        assert needed <= set(tables)
        for number in published_numbers(study):
            if not number.expression:
                assert number.remark.endswith(OF_NO_LOSS)
                continue
            for name in self.where(number):
                (text,) = self.cells(tables[name], papers.label_of(number), number)
                assert number.value in self.values(text), (name, number.loss, number.label, text)

    def values(self, text: str) -> set[float | None]:
        """Return the numbers of a cell without what stands in brackets."""
        if text == "NA":
            return {None}
        plain = re.sub(r"\([^)]*\)", "", text).replace("−", "-")
        return {float(found) for found in re.findall(r"[-+]?\d+(?:\.\d+)?", plain)}

    def test_only_one_printed_loss_is_none_of_ours(self) -> None:
        without = {each.loss for each in published_numbers() if not (each.expression and each.dataset)}
        assert without == {"pCE"}

    def test_that_of_the_only_class_stands_in_the_main_table(self, make: Make) -> None:
        results = make([("Dice", "dice", "")], ["msd_pancreas"], classes={"msd_pancreas": ("pancreas",)})
        assert class_tables(results) == []
        found = printed(main_table(results), "Dice")
        assert found["msd_pancreas: DSC ↑, printed: Ma et al. 2021"] == "0.8362 / 0.8399"

    def test_a_class_of_many_has_columns_of_its_own(self, make: Make) -> None:
        (table,) = class_tables(make([("Dice", "dice", "")], ["pddca"]))
        assert printed(table, "Dice")["chiasm: DSC ↑, printed: Zhu et al. 2019, Table V"] == "0.501"
        assert any("AnatomyNet" in note and "10 test cases" in note for note in table.notes)
        chiasm = next(line for line in as_csv(table).splitlines() if ',"chiasm, as printed",' in line)
        assert "0.501" in chiasm


@pytest.fixture(scope="module")
def ablation(make: Make) -> StudyResults:
    rows = [
        ("Both", "dice + ce", ""),
        ("Both (batch norm)", "dice + ce", ""),
        ("CE", "ce", ""),
        ("Focal", "focal", ""),
    ]
    return make(rows, ["msd_liver", "wmh2017"], variants=["batch norm"], seeds=2, patients=6)


@pytest.fixture(scope="module")
def changes(ablation: StudyResults) -> Table:
    (table,) = relative_change_tables(ablation)
    assert isinstance(table, Table)
    return table


@pytest.fixture(scope="module")
def means(ablation: StudyResults) -> dict[str, float]:
    """Our DSC on the liver as the main table has it."""
    return {row.label: row.cells[0].value or 0.0 for row in main_table(ablation).rows}


class TestAblation:
    """Losses and variants of network or protocol, as the table of nnU-Net has them."""

    def test_the_main_table_has_metric_and_changes_of_both_resolutions(self, ablation: StudyResults) -> None:
        table = main_table(ablation)
        change = "Relative change of DSC to Dice + CE, % ↑"
        heads = [
            f"msd_liver: {title}, printed: Isensee et al. 2019, Liver {resolution}"
            for title in ("DSC ↑", change)
            for resolution in ("lowres", "fullres")
        ]
        told = {row.label: [printed(table, row.label)[head] for head in heads] for row in table.rows}
        assert told == {
            "Both": ["0.79", "0.78", "–", "–"],
            "Both (batch norm)": ["–", "–", "−0.1", "+2.9"],
            "CE": ["–", "–", "−12.0", "−6.3"],
            "Focal": ["–"] * 4,
        }

    def test_our_change_is_that_of_the_means_of_the_main_table(
        self, means: dict[str, float], changes: Table
    ) -> None:
        base = means["Both"]
        for row in changes.rows:
            if row.label == "Both":
                assert {cell.text for cell in row.cells} == {"reference"}
            else:
                expected = 100 * (means[row.label] - base) / base
                assert row.cells[0].value == pytest.approx(expected)

    def test_its_interval_is_that_of_the_tested_difference(
        self, ablation: StudyResults, means: dict[str, float], changes: Table
    ) -> None:
        assert ablation.answer is not None
        comparison = ablation.answer.datasets[0].primary.comparison
        assert comparison is not None
        pairs = comparison.pairs
        at = pairs.losses.index("CE"), pairs.losses.index("Both")
        width = 200 * pairs.half_width(0.025)[at] / means["Both"]
        row = changes.data[(changes.data["label"] == "CE") & (changes.data["class_name"] == "all foreground")]
        assert row["high"].item() - row["low"].item() == pytest.approx(width)
        text = next(row.cells[0].text for row in changes.rows if row.label == "CE")
        assert re.fullmatch(r"[−+]\d+\.\d \([−+]?\d+\.\d to [−+]?\d+\.\d\)", text)
        assert any("approximate 95 % interval" in note for note in changes.notes)

    def test_only_datasets_with_printed_changes_have_columns(self, changes: Table) -> None:
        columns = [(column.group, bool(column.published)) for column in changes.columns]
        assert columns == [("msd_liver", False), ("msd_liver", True), ("msd_liver", True)]

    def test_signs_are_numbers_in_latex_and_ends_stand_in_the_csv_file(self, changes: Table) -> None:
        latex = as_latex(changes)
        assert "table-format=+2.1" in latex
        assert " -12.0 " in latex
        assert {"mean", "low", "high"} <= {*as_csv(changes).splitlines()[0].split(",")}

    def test_without_printed_changes_there_is_no_such_table(self, make: Make) -> None:
        assert relative_change_tables(make([("CE", "ce", "")], ["wmh2017"])) == []

    def test_without_the_reference_printed_changes_stand_alone(self, make: Make) -> None:
        (table,) = relative_change_tables(make([("CE", "ce", "")], ["msd_lung"]))
        assert isinstance(table, Table)
        assert [cell.text for cell in table.rows[0].cells] == ["–", "−25.4"]
        assert any("no such row on msd_lung" in note for note in table.notes)

    def test_parentheses_are_a_variant_only_if_the_study_declares_it(self, make: Make) -> None:
        rows = [("CE", "ce", ""), ("CE (batch norm)", "ce", "")]
        table = main_table(make(rows, ["msd_lung"]))
        assert [row.cells[-1].text for row in table.rows] == ["−25.4", "−25.4"]


class TestBoundary:
    """The boundary loss, whose first table has means over slices and no distances in mm."""

    @pytest.fixture
    def table(self, make: Make) -> Table:
        rows = [
            ("BL", "boundary", ""),
            ("GDL", "gdl", ""),
            ("GDL + BL", "gdl + boundary", "rebalance"),
        ]
        return main_table(make(rows, ["wmh2017-sim", "isles2018-sim"]))

    def test_its_dsc_stands_beside_ours_of_slices_and_its_hd_is_no_hd(self, table: Table) -> None:
        own = [column.heading for column in table.columns if column.group == "wmh2017-sim"]
        assert own[:4] == ["DSC ↑", "HD (mm) ↓", "HD95 (mm) ↓", "Slice DSC ↑"]
        assert "DSC ↑, printed: Kervadec et al. 2021" in own  # slices or volumes: nobody knows
        first = "printed: Kervadec et al. 2019, Table 1"
        told = {
            row.label: [
                printed(table, row.label)[f"wmh2017-sim: {title}, {first}"]
                for title in ("Slice DSC ↑", "HD (mm as printed) ↓")
            ]
            for row in table.rows
        }
        assert told == {
            "BL": ["0.569 (0.000)", "NA"],
            "GDL": ["0.727 (0.006)", "1.045 (0.014)"],
            "GDL + BL": ["0.748 (0.005)", "0.987 (0.010)"],
        }
        note = next(note for note in table.notes if "MIDL 2019" in note)
        for needed in (
            "no Hausdorff distance, and not in mm",
            "Not the same quantity as ours: HD, DSC.",
            "DSC is the mean over slices",
            "ours on isles2018-sim and wmh2017-sim are simulated",
            "L_GD + L_B (alpha: rebalance)",
        ):
            assert needed in note

    def test_every_strategy_for_alpha_has_its_own_number(self, make: Make) -> None:
        own = {
            "constant 0.01": "0.566",
            "constant 1": "0.628",
            "constant 2": "0.549",
            "increase": "0.622",
            "rebalance": "0.644",
            "cosine": "–",
        }
        rows = [(kind, "gdl + boundary", kind) for kind in own]
        table = main_table(make(rows, ["isles2018"]))
        head = "isles2018: DSC ↑, printed: Kervadec et al. 2021, strategies for alpha"
        assert {kind: printed(table, kind)[head] for kind in own} == own
        assert [kind for kind in own if "0.656 (0.023)" in printed(table, kind).values()] == ["rebalance"]

    def test_another_schedule_has_the_numbers_of_the_main_tables_only(self, make: Make) -> None:
        table = main_table(make([("Tuned", "gdl + boundary", "cosine")], ["isles2018"]))
        found = printed(table, "Tuned").values()
        assert "0.656 (0.023)" in found
        assert not any("0.566" in text for text in found)
        assert any("(alpha: rebalance)" in note for note in table.notes)

    def test_a_sum_without_schedule_is_a_constant_of_one(self, make: Make) -> None:
        table = main_table(make([("Sum", "gdl + boundary", "")], ["isles2018"]))
        assert "0.628" in printed(table, "Sum").values()
