"""docs/database.md says what the code says, and its queries and example run."""

import doctest
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.store import diagram
from harness.store.database import Database
from harness.store.dictionary import COLUMNS
from harness.store.query import run_query
from harness.store.schema import Base
from harness.store.views import VIEWS
from tests.store.made_up import filled

PATH = Path(__file__).resolve().parents[2] / "docs" / "database.md"
PAGE = PATH.read_text(encoding="utf-8")
QUERIES = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_is_as_the_code_has_it() -> None:
    assert diagram.renew(PAGE) == PAGE, "run: python -m harness.store.diagram docs/database.md"


def test_every_table_and_view_is_on_the_page() -> None:
    for name in (*Base.metadata.tables, *VIEWS):
        assert f"### `{name}`" in PAGE
        assert name.startswith("v_") or f"    {name} {{" in PAGE


def test_no_meaning_is_left_of_a_column_that_is_gone() -> None:
    tables = {table.name: {column.name for column in table.columns} for table in Base.metadata.sorted_tables}
    tables |= {view.name: set(view.columns) for view in VIEWS.values()}
    known = {name for columns in tables.values() for name in columns}
    known |= {f"{table}.{name}" for table, columns in tables.items() for name in columns}
    assert set(COLUMNS) <= known


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def made_up(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled(request.param, request, tmp_path_factory.mktemp("made_up")) as database:
        yield database


@pytest.mark.parametrize("number", range(10))
def test_the_queries_of_the_page_find_something(made_up: Database, number: int) -> None:
    with run_query(made_up, QUERIES[number]) as answer:
        rows = list(answer.rows)
    assert rows
    assert all(value is not None for value in rows[0][:3])


def test_there_are_ten_queries() -> None:
    assert len(QUERIES) == 10


def test_both_engines_answer_the_queries_alike(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    with filled("sqlite", request, tmp_path) as one, filled("postgresql", request, tmp_path) as other:
        for sql in QUERIES:
            answers = []
            for database in (one, other):
                with run_query(database, sql) as answer:
                    rows = [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]
                answers.append(sorted(comparable(row) for row in rows))
            assert answers[0] == answers[1], sql


def comparable(row: dict[str, object]) -> list[str]:
    return [
        f"{value:.9g}" if isinstance(value, float | int) else str(value)
        for name, value in row.items()
        if name != "finished"
    ]


def test_the_example_of_the_page_shows_what_it_shows(
    filled_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "lossbench-home"
    home.mkdir()
    shutil.copy(filled_file, home / "results.db")
    monkeypatch.chdir(tmp_path)
    (example,) = re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(example, {}, "example", str(PATH), None)
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    assert runner.run(test, out=report.append).failed == 0, "".join(report)
