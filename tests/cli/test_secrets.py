"""The password of a database appears nowhere: not on screen, in files, in the database, or in an export."""

import json
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest
from sqlalchemy import MetaData, create_engine, select
from sqlalchemy.engine import make_url

from harness.bench.postgresql_server import Server
from harness.errors import InputError
from harness.store.database import open_database
from tests.conftest import MANIFEST, STUDY, lossbench, lossbench_process, write_discs

PASSWORD = "p@ss:w/rd% Geheim'1"
SPELLINGS = (PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD), "w/rd", "w%2Frd", "Geheim")
"""The password whole, as it stands in URLs, and pieces of it."""

PLUGIN = """\
import os
from harness.losses import Loss


class Telltale(Loss):
    name, family, needs, reference = "telltale", "region", (), "Nobody, 2030. Nowhere."

    def value(self, *inputs, **others):
        raise RuntimeError(f"cannot reach {os.environ['LOSSBENCH_DB']} with password={os.environ['RAW']}")
"""


def assert_hidden(text: str) -> None:
    for spelling in SPELLINGS:
        assert spelling not in text


@pytest.fixture(scope="module")
def secret_url(postgresql: Server) -> Iterator[str]:
    """URL of an empty database of a role with a password."""
    role = f"jane_{uuid4().hex[:8]}"
    with postgresql.fresh() as url:
        literal = PASSWORD.replace("'", "''").replace("%", "%%")
        owner = create_engine(url)
        with owner.begin() as connection:
            connection.exec_driver_sql(f"CREATE ROLE {role} LOGIN PASSWORD '{literal}'")
            connection.exec_driver_sql(f'ALTER DATABASE "{make_url(url).database}" OWNER TO {role}')
        yield make_url(url).set(username=role, password=PASSWORD).render_as_string(hide_password=False)
        with owner.begin() as connection:
            connection.exec_driver_sql(f"REASSIGN OWNED BY {role} TO CURRENT_USER")
            connection.exec_driver_sql(f"DROP ROLE {role}")
        owner.dispose()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch, secret_url: str, folder: Path) -> Path:
    """The URL in the environment; the folder in which the study ran."""
    monkeypatch.setenv("LOSSBENCH_DB", secret_url)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, secret_url: str) -> Path:
    """A study with a loss that fails and tells the password, run and reported."""
    root = tmp_path_factory.mktemp("secrets")
    write_discs(root / "discs")
    (root / "discs.yaml").write_text(MANIFEST)
    text = (
        STUDY.format(manifest="discs.yaml").replace("epochs: 2", "epochs: 1").replace("seeds: 2", "seeds: 1")
    )
    losses = "losses: [{label: CE, loss: ce}, {label: Telltale, loss: 'telltale:Telltale'}]\n"
    (root / "tiny.yaml").write_text(text[: text.index("losses:")] + losses)
    (root / "telltale.py").write_text(PLUGIN)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(root))
        patch.setenv("RAW", f"'{PASSWORD}'".replace("'1", "\\'1"))
        patch.setenv("LOSSBENCH_DB", secret_url)
        ran = lossbench_process("run", "tiny.yaml", "--local", "--data", ".", cwd=root)
        reported = lossbench("report", "tiny.yaml", "--db", secret_url, cwd=root)
    assert "cannot reach postgresql" in ran.stderr + ran.stdout
    assert "password=***" in ran.stderr + ran.stdout
    assert reported.returncode == 0, reported.stderr
    for done in (ran, reported):
        assert "Traceback" not in done.stderr
        assert_hidden(done.stdout + done.stderr)
    return root


def test_no_row_of_any_table_holds_the_password(folder: Path, secret_url: str) -> None:
    engine = create_engine(secret_url)
    tables = MetaData()
    tables.reflect(engine)
    with engine.connect() as connection:
        rows = [
            tuple(row) for table in tables.sorted_tables for row in connection.execute(select(table)).all()
        ]
    engine.dispose()
    text = repr(rows)
    assert "cannot reach postgresql" in text
    assert_hidden(text)


def test_no_file_of_home_or_report_holds_the_password(folder: Path) -> None:
    files = [path for path in (folder / "lossbench-home").rglob("*") if path.is_file()]
    assert any(path.name == "report.html" for path in files)
    for path in files:
        assert_hidden(path.read_bytes().decode("utf-8", "replace"))


COMMANDS = [
    ("status", "--json"),
    ("db", "info", "--json"),
    ("db", "query", "select key, reason, traceback from trial", "--format", "json"),
    ("db", "query", "select command, resolved from run", "--format", "csv"),
]


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_no_command_shows_the_password(environment: Path, arguments: tuple[str, ...]) -> None:
    done = lossbench(*arguments, cwd=environment)
    assert done.returncode == 0, done.stderr
    assert_hidden(done.stdout + done.stderr)


def test_trace_of_a_failed_trial_shows_why_and_no_password(environment: Path) -> None:
    sql = "select key from trial where state = 'failed'"
    asked = lossbench_process("db", "query", sql, "--format", "json", cwd=environment)
    [row] = json.loads(asked.stdout)
    done = lossbench("db", "trace", row["key"], cwd=environment)
    assert "lossbench run" in done.stdout
    assert_hidden(done.stdout + done.stderr)


@pytest.mark.usefixtures("client_programs")
def test_no_export_copy_or_backup_holds_the_password(
    environment: Path, secret_url: str, tmp_path: Path
) -> None:
    every = [
        lossbench("db", "backup", tmp_path / "copy.dump", cwd=environment),
        lossbench("db", "export", tmp_path / "csv", "--format", "csv", cwd=environment),
        lossbench("db", "export", tmp_path / "parquet", "--json", cwd=environment),
        lossbench("db", "merge", secret_url, "--db", f"sqlite:///{tmp_path}/merged.db", cwd=environment),
    ]
    for done in every:
        assert done.returncode == 0, done.stderr
        assert_hidden(done.stdout + done.stderr)
    for path in tmp_path.rglob("*"):
        if path.is_file():
            assert_hidden(path.read_bytes().decode("utf-8", "replace"))


WRONG = {
    "unreachable": "postgresql://jane:{}@127.0.0.1:1/results",
    "no such driver": "postgresql+nodriver://jane:{}@host/results",
    "other engine": "mysql://jane:{}@host/results",
    "malformed port": "postgresql://jane:{}@host:port/results",
    "in the query": "postgresql://jane@127.0.0.1:1/results?password={}",
}


@pytest.mark.parametrize("shape", WRONG.values(), ids=WRONG.keys())
def test_errors_about_a_database_do_not_quote_its_password(
    shape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOSSBENCH_DB", shape.format(quote(PASSWORD, safe="")))
    done = lossbench("status", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert_hidden(done.stdout + done.stderr)
    with pytest.raises(InputError) as refusal:  # the password as people type it
        open_database(shape.format(PASSWORD))
    assert_hidden(str(refusal.value))
    assert_hidden("".join(traceback.format_exception(refusal.value)))


def test_another_database_that_cannot_be_read_is_named_without_its_password(tmp_path: Path) -> None:
    other = WRONG["unreachable"].format(quote(PASSWORD, safe=""))
    done = lossbench("db", "merge", other, "--db", "sqlite:///new.db", cwd=tmp_path)
    assert done.returncode == 2
    assert "jane:***@127.0.0.1" in done.stderr
    assert_hidden(done.stdout + done.stderr)
