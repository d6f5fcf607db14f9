"""Studies side by side: before and after, other data, what they differ in, what is refused."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.errors import InputError
from harness.statistics.crossed import crossed_difference
from harness.store import frames
from harness.store.database import Database
from reports.build import ReportOptions
from reports.compare import WrittenComparison, build_comparison
from reports.compare.figures.place_names import brief
from reports.compare.side_by_side import put_side_by_side
from reports.results import load_results
from tests.reports.several_studies import OneOf, make_studies

Compare = Callable[..., WrittenComparison]
HOSTILE = "a&b_<c>|$x$"
LONG = {
    "protocol": {
        "epochs": 100,
        "batch_size": 8,
        "optimizer": {"name": "adam", "lr": 0.001},
        "checkpoint": "best_val_dsc",
    }
}
BEFORE = OneOf("short", 4, ("set0",), 4, 16)
AFTER = OneOf("long", 4, ("set0",), 4, 16, "b", gains={"TopK": 0.3, "CE": -0.15}, document=LONG)
ELSEWHERE = OneOf("elsewhere", 3, ("set4", "set5"), 4, 16)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Database:
    """Studies that nobody has looked at yet; comparisons record looks in it."""
    return make_studies(tmp_path_factory.mktemp("lab"), BEFORE, AFTER, ELSEWHERE)


@pytest.fixture(scope="module")
def compare(lab: Database, tmp_path_factory: pytest.TempPathFactory) -> Compare:
    def run(*names: str, out: Path | None = None, only: tuple[str, ...] = ()) -> WrittenComparison:
        folder = out or tmp_path_factory.mktemp("compared")
        nowhere = Path("/nowhere")
        return build_comparison(lab, names, folder, nowhere, nowhere, ReportOptions(only=only))

    return run


@pytest.fixture(scope="module")
def before_after(compare: Compare) -> WrittenComparison:
    return compare("short", "long")


def table(written: WrittenComparison, code: str) -> pd.DataFrame:
    return next(each.table.data for each in written.tables if each.code == code)


def page(written: WrittenComparison) -> str:
    assert written.page is not None
    return written.page.read_text(encoding="utf-8")


def test_changes_are_paired_over_patients_and_seeds(before_after: WrittenComparison, lab: Database) -> None:
    found = table(before_after, "TC4").set_index("loss")
    assert set(found["basis"]) == {"same patients"}
    blocks = []
    for name in ("short", "long"):
        answer = load_results(lab, name, Path("/nowhere"), Path("/nowhere"), peek=False).answer
        assert answer is not None
        blocks.append(answer.datasets[0].primary.block)
    for loss in blocks[0].losses:
        scores = [block.scores[block.losses.index(loss)] for block in blocks]
        expected = crossed_difference(scores[1], scores[0])
        assert found.loc[loss, "difference"] == pytest.approx(expected.difference)
        # Seed variances lend each other strength between the losses: never narrower than alone.
        assert found.loc[loss, "high"] - found.loc[loss, "low"] == pytest.approx(
            expected.high - expected.low, rel=0.6
        )
    assert found.loc["TopK", "words"] == "better"
    assert found.loc["CE", "words"] == "worse"
    assert (found["holm_p"] >= found["p"]).all()


def test_the_page_says_on_top_what_is_compared_and_what_changed(before_after: WrittenComparison) -> None:
    text = page(before_after)
    assert "share 4 losses and the dataset set0: before and after, from short to long" in text
    assert re.search(r"On set0, from short to long,[^<]*better: TopK", text)
    assert "the standing changed, which is no test of a change" in text
    assert "http://" not in re.sub(r"http://www.w3.org[^\"]*", "", text)
    assert "https://" not in text


def test_what_the_study_files_differ_in_is_listed_with_both_values(before_after: WrittenComparison) -> None:
    rows = table(before_after, "TC6").set_index("key")
    assert rows.loc["protocol.epochs", ["short", "long"]].tolist() == ["8", "100"]
    assert rows.loc["protocol.lr_schedule", "long"] == "absent"
    assert "study" not in rows.index
    assert "protocol.batch_size" not in rows.index


def test_every_figure_has_data_a_caption_and_a_text_for_those_who_do_not_see_it(
    before_after: WrittenComparison,
) -> None:
    assert [each.code for each in before_after.figures] == ["FC1", "FC2", "FC3"]
    for each in before_after.figures:
        assert each.pdf.stat().st_size > 0
        assert each.csv is not None
        assert each.drawing.caption.endswith(".")
        assert len(each.drawing.alt) > 40
    assert "16 patients in common" in before_after.figures[0].drawing.caption


def test_two_comparisons_give_the_same_bytes(
    before_after: WrittenComparison, compare: Compare, tmp_path: Path
) -> None:
    again = compare("short", "long", out=tmp_path)
    assert page(again) == page(before_after)
    assert before_after.page is not None
    for path in sorted(tmp_path.rglob("*.*")):
        assert path.read_bytes() == (before_after.page.parent / path.relative_to(tmp_path)).read_bytes(), path


def test_a_look_is_recorded_for_each_study(before_after: WrittenComparison, lab: Database) -> None:
    assert before_after.page is not None
    for name in ("short", "long"):
        assert len(frames.looks(lab, name)) == 1


def test_studies_on_other_data_are_compared_by_standings_margins_and_ranks(compare: Compare) -> None:
    written = compare("short", "elsewhere")
    text = page(written)
    assert "share 3 losses and no dataset: the same losses on other data" in text
    assert "Left out, because not every study has it: TopK of short." in text
    assert [each.code for each in written.tables] == ["TC1", "TC2", "TC3", "TC5", "TC6"]
    assert written.skipped == ("No picture of changes: the studies share no dataset.",)
    means = table(written, "TC2")
    assert set(means["dataset"]) == {"set0", "set4", "set5"}
    differences = table(written, "TC3")
    assert set(differences["reference"]) == {"CE"}
    assert np.allclose(
        differences["margin"],
        0.01,
    )
    assert len(table(written, "TC5")) == 2  # pairs of places of one study say nothing of the other


def test_only_some_figures_and_tables_are_written_without_a_page(compare: Compare, tmp_path: Path) -> None:
    written = compare("short", "long", out=tmp_path, only=("fc3", "TC4"))
    assert written.page is None
    assert [each.code for each in (*written.tables, *written.figures)] == ["TC4", "FC3"]
    with pytest.raises(InputError, match="no figure or table 'F4'"):
        compare("short", "long", out=tmp_path, only=("F4",))


def test_identical_trials_are_said_to_be_shared_and_not_compared(tmp_path: Path) -> None:
    same = OneOf("same", 3, ("set0",), 3, 12)
    more = OneOf("more", 3, ("set0",), 5, 12)
    database = make_studies(tmp_path, same, OneOf("twin", 3, ("set0",), 3, 12), more)
    only = ReportOptions(only=("TC4",))
    twins = build_comparison(database, ["same", "twin"], tmp_path / "twins", tmp_path, tmp_path, only)
    assert set(table(twins, "TC4")["basis"]) == {"same trials"}
    assert "9 trials are shared between studies" in twins.summary
    grown = build_comparison(database, ["same", "more"], tmp_path / "grown", tmp_path, tmp_path, only)
    assert set(table(grown, "TC4")["trials_shared"]) == {3}
    assert any("wider than it need be" in note for note in grown.tables[0].table.notes)


def test_one_seed_is_about_networks_and_another_simulation_is_not_paired(tmp_path: Path) -> None:
    several = OneOf("several", 3, ("set0-sim",), 3, 12)
    once = OneOf("once", 3, ("set0-sim",), 1, 12, "b")
    database = make_studies(tmp_path, several, once, OneOf("again", 3, ("set0-sim",), 3, 12, "c", prints="2"))
    only = ReportOptions(only=("TC4",))
    networks = build_comparison(database, ["several", "once"], tmp_path, tmp_path, tmp_path, only)
    assert set(table(networks, "TC4")["basis"]) == {"same networks"}
    assert any("these trained networks, not" in note for note in networks.tables[0].table.notes)
    other = build_comparison(database, ["several", "again"], tmp_path, tmp_path, tmp_path, only)
    rows = table(other, "TC4")
    assert set(rows["basis"]) == {"other patients"}
    assert rows["difference"].isna().all()
    assert rows["sd_over_seeds_before"].notna().all()
    assert "another simulation, so its patients are others" in other.summary


def test_hostile_labels_and_names_do_no_harm(tmp_path: Path) -> None:
    labels = [HOSTILE, "_hidden", "x" * 300]
    studies = [OneOf(name, labels, ("set0",), 2, 8, name) for name in ("<b>one</b>", "two & more")]
    database = make_studies(tmp_path, *studies)
    names = [each.name for each in studies]
    written = build_comparison(database, names, tmp_path / "out", tmp_path, tmp_path)
    text = page(written)
    assert "<b>one" not in text
    assert "a&amp;b_&lt;c&gt;" in text


def test_two_losses_one_of_them_collapsed_give_a_page(tmp_path: Path) -> None:
    database = make_studies(
        tmp_path,
        OneOf("a", 2, ("set0",), 2, 8, collapsed=["CE"]),
        OneOf("b", 2, ("set0",), 2, 8, "b"),
    )
    written = build_comparison(database, ["a", "b"], tmp_path / "out", tmp_path, tmp_path)
    assert written.page is not None
    rows = table(written, "TC4").set_index("loss")
    assert rows.loc["CE", "basis"] == "lacking"
    assert rows.loc["CE", "standing_before"] == "collapsed"
    assert rows.loc["Weighted CE", "basis"] == "same patients"


def test_what_cannot_be_compared_is_one_sentence(tmp_path: Path) -> None:
    database = make_studies(
        tmp_path,
        OneOf("a", ["CE", "Dice"], ("set0",), 2, 8),
        OneOf("b", ["Other", "Third"], ("set0",), 2, 8, "b"),
        OneOf("unfinished", ["CE", "Dice"], ("set0",), 2, 8, "c", finish=0.5),
    )

    def refused(*names: str) -> str:
        with pytest.raises(InputError) as caught:
            build_comparison(database, names, tmp_path / "out", tmp_path, tmp_path)
        return str(caught.value)

    assert "no loss of the same label" in refused("a", "b")
    assert "'a' is given twice" in refused("a", "a")
    assert "nope" in refused("a", "nope")
    assert "unfinished" in refused("a", "unfinished")
    assert not (tmp_path / "out" / "compare.html").exists()
    assert frames.looks(database, "a").empty


def test_results_without_an_answer_are_refused(lab: Database) -> None:
    found = load_results(lab, "short", Path("/nowhere"), Path("/nowhere"), peek=False)
    lacking = type(found)(**{**vars_of(found), "answer": None, "no_answer": "no run is complete yet"})
    with pytest.raises(InputError, match="'short' cannot be compared: no run is complete yet"):
        put_side_by_side([lacking, found])


def vars_of(found: object) -> dict[str, object]:
    names = found.__dataclass_fields__  # type: ignore[attr-defined]
    return {name: getattr(found, name) for name in names}


def test_long_names_keep_both_ends() -> None:
    assert brief("hippocampus_long", 30) == "hippocampus_long"
    assert {brief(f"hippocampus_training_{end}", 14)[-4:] for end in ("long", "tiny")} == {"long", "tiny"}


def test_the_common_reference_is_one_that_every_study_compares(tmp_path: Path) -> None:
    asked = {"analysis": {"references": ["CE", "Focal"]}}
    database = make_studies(
        tmp_path,
        OneOf("whole", document=asked),
        OneOf("broken", datasets=("set1",), collapsed=("CE",), document=asked),
    )
    nowhere = Path("/nowhere")
    found = [load_results(database, name, nowhere, nowhere, peek=False) for name in ("whole", "broken")]
    assert put_side_by_side(found[:1] * 2).reference == "CE"
    assert put_side_by_side(found).reference == "Focal"
    database.close()
