"""What stands on the page, without a browser."""

import base64
import re
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness.store.database import Database, open_database
from reports.build import WrittenReport
from reports.page import render, render_page
from reports.page.embedding import downloads
from reports.page.missing import missing
from reports.page.queries import queries
from reports.page.shown_tables import listing, number_in
from reports.page.verdict import study_verdict
from reports.results import StudyResults, load_results

Copy = Callable[[Path], Database]


@pytest.fixture(scope="module")
def page(results: StudyResults) -> str:
    """Of the made-up study, without figures and tables."""
    return render_page(results, [], [], ["Nothing was tuned."])


@pytest.fixture(scope="module")
def two(wide_study: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> StudyResults:
    """Two losses on two datasets."""
    root = tmp_path_factory.mktemp("two")
    wide = wide_study.Wide(losses=2, datasets=2, seeds=3, patients=8)
    with closing(wide_study.make_wide_study(root, wide)) as made:
        return load_results(made, wide_study.STUDY, root, root, peek=False)


def opened(root: Path) -> Database:
    return open_database(f"sqlite:///{root / 'results.db'}")


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL).split())


def test_the_verdict_stands_before_the_warnings_and_these_before_the_tables(two: StudyResults) -> None:
    page = render_page(two, [], [], [])
    places = [page.index(f'<section id="{name}">') for name in ("verdict", "warnings", "results", "figures")]
    assert places == sorted(places)
    for paragraph in study_verdict(two).paragraphs:
        assert paragraph[:30] in text_of(page)


def test_every_dataset_has_a_card_and_every_loss_a_class(two: StudyResults) -> None:
    verdict = study_verdict(two)
    assert [card.name for card in verdict.cards] == ["", "set0", "set1"]
    assert verdict.cards[0].title == "Both datasets together"
    assert verdict.standings is not None
    assert [row.cells[0].text for row in verdict.standings.rows] == list(two.labels)
    words = {cell.text for row in verdict.standings.rows for cell in row.cells[1:]}
    assert words <= {"safe", "possibly best", "inferior", "inferior beyond the margin"}
    assert len(verdict.standings.notes) == len(words)


def test_without_an_answer_the_page_says_why(results: StudyResults) -> None:
    silent = replace(results, answer=None, no_answer="the network was cut")
    page = render_page(silent, [], [], [])
    assert "There is no verdict yet, because the network was cut." in text_of(page)
    assert '<section id="warnings">' not in page


def test_a_partial_study_says_on_top_what_is_missing(partial: Path, copy_of: Copy) -> None:
    results = load_results(copy_of(partial), "made-up", partial, partial, peek=False)
    told = dict(missing(results))
    assert told
    for dataset, sentences in told.items():
        runs = results.runs[results.runs["dataset"] == dataset]
        lacking = 7 - int((runs["scored"] | runs["diverged"]).sum())
        assert sentences[0].startswith(f"{lacking} of 7 runs")
        assert any(sentence.startswith("No seed finished of ") for sentence in sentences)
    page = render_page(results, [], [], [])
    assert page.index("What is missing") < page.index('<section id="verdict">')


def test_a_complete_study_lacks_nothing(results: StudyResults, page: str) -> None:
    assert missing(results) == []
    assert "What is missing" not in page


def test_the_sql_gives_the_means_of_the_page(results: StudyResults, finished: Path) -> None:
    with closing(opened(finished)) as database, database.read() as connection:
        found = connection.exec_driver_sql(queries(results)[0].sql).mappings().all()
    ours = results.run_values.groupby(["dataset", "metric", "label"])["value"].mean()
    shown = [row for row in found if row["mean"] is not None]
    assert len(shown) > 10
    for row in shown:
        assert row["mean"] == pytest.approx(ours[row["dataset"], row["metric"], row["loss"]])


def test_every_query_runs_and_none_is_empty(results: StudyResults, finished: Path) -> None:
    with closing(opened(finished)) as database, database.read() as connection:
        for query in queries(results):
            assert connection.exec_driver_sql(query.sql).first() is not None


def test_a_study_with_quotes_in_its_name_is_asked_for_by_its_name(results: StudyResults) -> None:
    document = replace(results.document, name="it's $5")
    [first, *_] = queries(replace(results, document=document))
    assert "study = 'it''s $5'" in first.sql
    assert first.command.startswith("lossbench db query '")


def test_the_page_holds_what_a_paper_takes(page: str) -> None:
    assert "@article{" in page
    assert 'download="references.bib"' in page
    assert "lossbench db query" in page


def test_nothing_may_be_loaded_even_by_mistake(page: str) -> None:
    assert "default-src 'none'" in page


def test_what_papers_take_and_small_files_are_inside_while_there_is_room(tmp_path: Path) -> None:
    sizes = {"a.pdf": 300, "b.pdf": 900, "c.png": 100, "d.csv": 600, "e.md": 50}
    for name, size in sizes.items():
        (tmp_path / name).write_bytes(b"x" * size)
    found = downloads([tmp_path / name for name in sizes], room=1300)
    inside = {path.name: link.inside for path, link in found.items()}
    assert inside == {"a.pdf": True, "b.pdf": False, "c.png": False, "d.csv": True, "e.md": True}
    assert found[tmp_path / "b.pdf"].address == f"{tmp_path.name}/b.pdf"
    assert base64.b64decode(found[tmp_path / "d.csv"].address.split(",")[1]) == b"x" * 600


def test_a_page_without_room_leaves_downloads_beside_it(
    report: WrittenReport, results: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "PAGE_BYTES", 0)
    page = render_page(results, list(report.tables), list(report.figures), [])
    assert 'href="figures/learning_curves.pdf"' in page
    assert 'href="data:text/csv' not in page
    assert 'download="references.bib"' in page
    assert "beside it." in text_of(page)


def test_a_heavy_drawing_is_a_picture_and_a_light_one_a_drawing(report: WrittenReport) -> None:
    page = report.page.read_text() if report.page else ""
    for saved in report.figures:
        figure = page[page.index(f'<figure id="{saved.drawing.name}"') :].split("</figure>")[0]
        heavy = len(saved.svg) > 150_000 or not saved.svg
        assert ("<img " in figure) == heavy
        assert ("<svg " in figure) != heavy


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0.81 (0.02)", 0.81),
        ("−3.5 mm", -3.5),
        ("≤ 0.05", 0.05),
        ("1,250", 1250),
        ("1e-3", 0.001),
        ("ten", None),
    ],
)
def test_a_cell_sorts_by_its_first_number(text: str, value: float | None) -> None:
    assert number_in(text) == value


def test_rows_know_their_losses_but_not_what_they_are_compared_with() -> None:
    columns, rows = listing(
        ("Loss", "Reference", "Against", "p"),
        [("Dice", "CE", "Focal", "0.01"), ("CE", "CE", "–", "–")],
        ["CE", "Dice", "Focal"],
    )
    assert [column.kind for column in columns] == ["text", "text", "text", "number"]
    assert [row.losses for row in rows] == [(1, 2), (0,)]


def test_where_training_was_ended_early_only_what_was_planned_there_can_be_missing(
    partial: Path, copy_of: Copy
) -> None:
    results = load_results(copy_of(partial), "made-up", partial, partial, peek=False)
    dataset, *_ = dict(missing(results))
    ended = results.trials["state"].isin(["done", "diverged"])
    there = results.trials["dataset"] != dataset
    short = replace(results, trials=results.trials[ended | there], settled=frozenset({dataset}))
    assert dataset not in dict(missing(short))
