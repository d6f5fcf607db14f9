"""``lossbench db query`` prints tables, CSV and JSON, and changes nothing."""

import csv
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from harness.cli import db_query_commands
from harness.errors import InputError
from harness.store.database import open_database
from harness.store.rows import insert_row
from harness.store.schema import StudyRow

HOSTILE = '[bold]a[/] "b", c\x1b[31m; <i>'
NUMBERS = "with recursive n(i) as (select 1 union all select i + 1 from n where i < {}) select i from n"

app = typer.Typer()
app.callback()(lambda: None)
db_query_commands.add_to(app)


@pytest.fixture
def url(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'results.db'}"
    database = open_database(url, create=True)
    with database.write() as connection:
        for name in ("plain", HOSTILE):
            insert_row(connection, StudyRow, name=name, title="", resolved={}, updated=datetime.now(UTC))
    database.close()
    return url


def ask(url: str, sql: str, *options: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["query", sql, "--db", url, *options], input=stdin)


def test_a_table_shows_names_as_they_are(url: str) -> None:
    found = ask(url, "select name from study order by id")
    assert found.exit_code == 0
    assert '[bold]a[/] "b", c\\x1b[31m; <i>' in found.stdout


def test_csv_and_json_keep_every_digit_and_character(url: str) -> None:
    sql = "select name, 0.1e0 + 0.2e0 as x, null as n from study order by id"
    table = list(csv.reader(io.StringIO(ask(url, sql, "--format", "csv").stdout)))
    assert table == [["name", "x", "n"], ["plain", repr(0.1 + 0.2), ""], [HOSTILE, repr(0.1 + 0.2), ""]]
    records = json.loads(ask(url, sql, "--format", "json").stdout)
    assert records[1] == {"name": HOSTILE, "x": 0.1 + 0.2, "n": None}


@pytest.mark.parametrize("how", ["csv", "json", "table"])
def test_a_limit_holds_for_every_format(url: str, how: str) -> None:
    found = ask(url, NUMBERS.format(50), "--format", how, "--limit", "3").stdout
    assert "3" in found
    assert "4" not in found


def test_a_long_table_says_how_many_rows_are_left(url: str) -> None:
    found = ask(url, NUMBERS.format(5201))
    assert "200" in found.stdout
    assert "201" not in found.stdout
    assert "5,001 more rows" in found.stderr


def test_json_of_no_rows_and_of_infinity_is_json(url: str) -> None:
    assert json.loads(ask(url, "select 1 as one where 1 = 0", "--format", "json").stdout) == []
    assert json.loads(ask(url, "select 9e999 as much", "--format", "json").stdout) == [{"much": None}]


def test_a_query_comes_from_stdin(url: str) -> None:
    found = ask(url, "-", "--format", "csv", stdin="select count(*) as n\nfrom study;\n")
    assert found.stdout == "n\n2\n"


def test_a_wrong_query_is_bad_input(url: str) -> None:
    for sql, sentence in (
        ("delete from study", "more than read"),
        ("select * from v_leaderbord", "did you mean 'v_leaderboard'?"),
        ("select 1; select 2", "several statements"),
    ):
        found = ask(url, sql)
        assert isinstance(found.exception, InputError)
        assert sentence in str(found.exception)
        assert found.stdout == ""


def test_postgresql_is_asked_alike(postgresql_url: str) -> None:
    open_database(postgresql_url, create=True).close()
    found = ask(postgresql_url, "select count(*) as n, true as yes from v_trial", "--format", "csv")
    assert found.stdout == "n,yes\n0,True\n"
    assert isinstance(ask(postgresql_url, "drop view v_trial").exception, InputError)


def test_a_reader_that_leaves_early_is_no_error(url: str) -> None:
    program = (
        "import typer; from harness.cli import db_query_commands as q; app = typer.Typer(); "
        "app.callback()(lambda: None); q.add_to(app); app()"
    )
    command = [
        sys.executable,
        "-c",
        program,
        "query",
        NUMBERS.format(200_000),
        "--format",
        "csv",
        "--db",
        url,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "i\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 0
