"""SQL by hand can read everything and change nothing, on both engines."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import func, select

from harness.errors import InputError
from harness.store.database import Database, open_database
from harness.store.query import run_query
from harness.store.rows import insert_row
from harness.store.schema import StudyRow


@pytest.fixture
def kept(database: Database) -> Database:
    """A database with three studies, on both engines in turn."""
    return with_studies(database)


@pytest.fixture
def on_sqlite(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'results.db'}", create=True)
    yield with_studies(database)
    database.close()


@pytest.fixture
def on_postgresql(postgresql_url: str) -> Iterator[Database]:
    database = open_database(postgresql_url, create=True)
    yield with_studies(database)
    database.close()


def with_studies(database: Database) -> Database:
    with database.write() as connection:
        for name in ("a", "b", "[bold]c%s"):
            now = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)
            insert_row(connection, StudyRow, name=name, title="", resolved={"seeds": 1}, updated=now)
    return database


def ask(database: Database, sql: str) -> list[tuple[object, ...]]:
    with run_query(database, sql) as answer:
        return list(answer.rows)


def studies(database: Database) -> int:
    with database.read() as connection:
        return connection.scalar(select(func.count()).select_from(StudyRow)) or 0


def test_a_select_is_answered(kept: Database) -> None:
    with run_query(kept, "select name, id * 0.5 as half, NULL as empty from study order by id;\n") as answer:
        assert answer.columns == ("name", "half", "empty")
        assert list(answer.rows) == [("a", 0.5, None), ("b", 1.0, None), ("[bold]c%s", 1.5, None)]


def test_percent_signs_and_comments_are_only_text(kept: Database) -> None:
    assert ask(kept, "-- 100 %\nselect count(*) from study where name like '%c%' -- the end") == [(1,)]


def test_recursion_and_windows_are_reading(kept: Database) -> None:
    counted = (
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) select i from n"
    )
    assert len(ask(kept, counted)) == 20000
    assert len(ask(kept, "select rank() over (order by name) from study")) == 3


WRITES = (
    "insert into study (id, name, title, resolved, updated) values (9, 'x', '', '{}', '2025-01-01')",
    "update study set title = 'x'",
    "delete from study",
    "drop view v_trial",
    "create table mine (id integer)",
    "with gone as (delete from study returning id) select * from gone",
    "begin",
    "vacuum",
)


@pytest.mark.parametrize("sql", WRITES)
def test_nothing_is_written(kept: Database, sql: str) -> None:
    with pytest.raises(InputError, match="the query"):
        ask(kept, sql)
    assert studies(kept) == 3


@pytest.mark.parametrize("second", ["delete from study", "drop table study", "select 2", "commit"])
def test_several_statements_are_refused(kept: Database, second: str) -> None:
    with pytest.raises(InputError, match="several statements"):
        ask(kept, f"select 1; {second}")
    assert studies(kept) == 3


SQLITE_TRICKS = (
    "attach database 'other.db' as other",
    "pragma journal_mode = delete",
    "pragma query_only = off",
    "pragma writable_schema = on",
    "select load_extension('x')",
)


@pytest.mark.parametrize("sql", SQLITE_TRICKS)
def test_sqlite_is_closed_to_tricks(on_sqlite: Database, sql: str) -> None:
    with pytest.raises(InputError, match="the query"):
        ask(on_sqlite, sql)


POSTGRESQL_TRICKS = (
    "set transaction read write",
    "set default_transaction_read_only = off",
    "select set_config('transaction_read_only', 'off', false)",
    "select * into mine from study",
    "copy study to '/tmp/study'",
    "select nextval('study_id_seq')",
    "do $$ begin delete from study; end $$",
)


@pytest.mark.parametrize("sql", POSTGRESQL_TRICKS)
def test_postgresql_is_closed_to_tricks(on_postgresql: Database, sql: str) -> None:
    with pytest.raises(InputError, match="the query"):
        ask(on_postgresql, sql)
    assert studies(on_postgresql) == 3


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("", "the query is empty"),
        (" ; ", "the query is empty"),
        ("selec 1", "the query cannot be run: .*syntax error"),
        ("select * from v_trail", "no table or view 'v_trail' in the database; did you mean 'v_trial'?"),
        ("select nmae from study", "no column 'nmae' where the query looks for it; did you mean 'name'?"),
        (
            "select s.nmae from study s",
            r"no column 's\.nmae' where the query looks for it; did you mean 'name'?",
        ),
        ("select label from v_trial", "no column 'label' .*; it is a column of study_trial"),
        ("select zzzzzzzzzz from v_trial", "no column 'zzzzzzzzzz' .*; docs"),
        ("select 1 from qqqqqqqqqqqqq", "no table or view 'qqqqqqqqqqqqq' in the database; docs"),
    ],
)
def test_a_wrong_query_is_one_sentence(kept: Database, sql: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence.replace("?", r"\?")) as refusal:
        ask(kept, sql)
    assert "\n" not in str(refusal.value)


def test_an_error_among_later_rows_is_one_sentence(on_postgresql: Database) -> None:
    with pytest.raises(InputError, match="division by zero"):
        ask(on_postgresql, "select 1 / (n - 9000) from generate_series(1, 10000) n")


def test_values_look_alike_on_every_engine(kept: Database) -> None:
    found = ask(kept, "select avg(id), sum(id), count(*) from study")
    assert found == [(2, 6, 3)]
    assert ask(kept, "select resolved from study limit 1") == [('{"seeds": 1}',)]
    ((updated,),) = ask(kept, "select updated from study limit 1")
    assert str(updated).startswith("2025-01-02 03:04:05")


def test_two_columns_of_one_name_are_told_apart(kept: Database) -> None:
    with run_query(kept, "select a.name, b.name from study a join study b on a.id = b.id") as answer:
        assert answer.columns == ("name", "name_2")


def test_a_reader_does_not_hold_up_a_writer(kept: Database) -> None:
    with run_query(kept, "select * from study") as answer:
        next(answer.rows)
        with kept.write() as connection:
            insert_row(connection, StudyRow, name="new", title="", resolved={}, updated=datetime.now(UTC))
    assert studies(kept) == 4
