"""``lossbench watch``: a report and the progress of a study, served on this machine alone."""

import json
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.cli.home import Home
from harness.cli.watch_page import command
from harness.cli.watch_page.command import Watcher, WatchOptions, watch_study
from harness.cli.watch_page.report_files import replace_text
from harness.cli.watch_page.server import serving
from harness.errors import InputError
from harness.store import frames
from harness.store.database import Database, open_database
from harness.store.ownership import new_owner
from tests.cli import test_status as lab
from tests.conftest import LOSSBENCH
from tests.reports.several_studies import OneOf, add_study, make_studies

STUDY = OneOf("slow", 2, ("set0",), 2, 8, finish=0.0)
FAST = WatchOptions(every=0.1)


class Answer:
    """What a browser gets."""

    def __init__(self, address: str, path: str, host: str | None = None, method: str = "GET") -> None:
        place = urlsplit(address)
        connection = HTTPConnection(place.hostname or "", place.port or 0, timeout=10)
        connection.request(method, path, headers={} if host is None else {"Host": host})
        response = connection.getresponse()
        self.status, self.headers, self.text = response.status, response.headers, response.read().decode()
        connection.close()


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A study of four trials, none of which has begun."""
    database = make_studies(tmp_path, STUDY)
    yield database
    database.close()


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Stand in for the writing of reports, which takes seconds; every one is kept here."""
    calls: list[Path] = []

    def build(_database: Database, study: str, out: Path, *_more: object) -> None:
        calls.append(out)
        (out / "figures").mkdir(parents=True)
        (out / "report.html").write_text(f"report {len(calls)} of {study}")
        (out / "figures" / f"F{len(calls)}.pdf").write_text("vector")

    monkeypatch.setattr("reports.build.build_report", build)
    return calls


@pytest.fixture
def watcher(database: Database, tmp_path: Path, built: list[Path]) -> Watcher:
    found = Watcher(database, "slow", Home(tmp_path, database.url), FAST)
    found.looks = command.Looks(lambda: command.snapshot(database, "slow"), 0.0)
    return found


@pytest.fixture
def address(watcher: Watcher) -> Iterator[str]:
    with serving(watcher.site) as address:
        yield address


def progress(address: str) -> dict[str, Any]:
    answer = Answer(address, "/progress.json")
    assert answer.status == 200
    return dict(json.loads(answer.text))


def finish(database: Database, share: float) -> None:
    add_study(database, replace(STUDY, finish=share))


def test_a_study_without_results_has_a_page_of_its_progress_alone(address: str, watcher: Watcher) -> None:
    assert not watcher.step()
    page = Answer(address, "/")
    assert page.status == 200
    assert "0 of 4 trials done" in page.text
    assert "No report yet: no trial has finished" in page.text
    assert Answer(address, "/report.html").status == 404
    told = progress(address)
    assert (told["waiting"], told["done"], told["report"]["version"]) == (4, 0, 0)


def test_progress_changes_and_the_report_is_written_anew_when_trials_finish(
    address: str, watcher: Watcher, database: Database, built: list[Path]
) -> None:
    finish(database, 0.5)
    assert progress(address)["done"] == 2
    assert watcher.step()
    assert Answer(address, "/report.html").text == "report 1 of slow"
    assert progress(address)["report"]["version"] == 1
    assert Answer(address, "/figures/F1.pdf").text == "vector"
    assert not watcher.step()  # nothing new
    finish(database, 1.0)
    assert watcher.step()
    assert Answer(address, "/report.html").text == "report 2 of slow"
    assert Answer(address, "/figures/F1.pdf").status == 404  # the second report has none
    told = progress(address)
    assert told["over"]
    assert told["report"] == {"version": 2, "sentence": "The report has the results of 4 finished trials"}
    assert len(built) == 2


def test_running_trials_failures_and_hostile_names_are_shown_as_text(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'lab.db'}", create=True)
    lab.add_study(database)
    lab.run(database, lab.key_of(lab.LOSSES[1], 0), 5, new_owner())
    lab.end(database, lab.key_of(lab.LOSSES[0], 2), "failed")
    watcher = Watcher(database, "demo", Home(tmp_path, database.url), FAST)
    told = watcher.progress()
    [trial] = told["running_trials"]
    assert (trial["epochs_done"], trial["epochs"], trial["val_dsc"], trial["best_val_dsc"]) == (
        5,
        20,
        0.5,
        0.8,
    )
    assert [row["reason"] for row in told["failures"]] == ["ValueError: no"]
    assert told["time_left"].startswith("time left")
    page = watcher.page()
    assert "5 of 20" in page
    assert "ValueError: no" in page
    assert "\x1b" not in page
    assert "Dice [red]\\x1b" in page
    database.close()


@pytest.mark.parametrize(
    "path",
    [
        "/results.db",
        "/../results.db",
        "/%2e%2e/results.db",
        "/figures/..%2f..%2f..%2fresults.db",
        "//etc/passwd",
        "/figures/",
        "/index.html",
        "/progress.json/",
        "/note.txt",
    ],
)
def test_nothing_but_the_pages_and_files_of_the_report_can_be_read(
    address: str, watcher: Watcher, database: Database, path: str
) -> None:
    finish(database, 0.5)
    watcher.step()
    (watcher.report.folder / "note.txt").write_text("mine")
    answer = Answer(address, path)
    assert answer.status == 404
    assert "mine" not in answer.text


def test_only_requests_that_name_this_machine_are_answered(address: str) -> None:
    place = urlsplit(address)
    assert place.hostname == "127.0.0.1"
    assert Answer(address, "/", f"localhost:{place.port}").status == 200
    for host in ("evil.example", f"evil.example:{place.port}", "", "127.0.0.1:1"):
        assert Answer(address, "/progress.json", host).status == 421
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.2", place.port), 2):
        pass


def test_requests_that_would_change_something_are_refused(address: str) -> None:
    assert Answer(address, "/", method="POST").status == 501
    answer = Answer(address, "/", method="HEAD")
    assert (answer.status, answer.text) == (200, "")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_port_in_use_is_one_sentence_with_a_remedy(address: str, watcher: Watcher) -> None:
    port = urlsplit(address).port
    assert port
    with (
        pytest.raises(InputError, match=f"port {port} is in use; give another --port"),
        serving(watcher.site, port),
    ):
        pass


def test_the_server_is_gone_after_its_block(watcher: Watcher) -> None:
    with serving(watcher.site) as address:
        assert Answer(address, "/").status == 200
    with pytest.raises(ConnectionRefusedError):
        Answer(address, "/")


def test_a_report_that_fails_leaves_the_one_before_and_says_why(
    watcher: Watcher, database: Database, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    finish(database, 0.5)
    watcher.step()

    def fail(_database: Database, _study: str, out: Path, *_more: object) -> None:
        (out / "report.html").write_text("half")
        raise InputError("the disk is full")

    monkeypatch.setattr(watcher.report, "_build", lambda out: fail(database, "slow", out))
    finish(database, 1.0)
    assert not watcher.step()
    assert Answer(address, "/report.html").text == "report 1 of slow"
    assert progress(address)["report"]["sentence"] == "The report cannot be written: the disk is full"
    assert [path.name for path in watcher.report.folder.parent.iterdir()] == ["slow"]


def test_a_database_that_does_not_answer_is_waited_for(
    watcher: Watcher, address: str, database: Database
) -> None:
    def away() -> Any:
        raise InputError("the database does not answer")

    asked = watcher.looks._ask
    watcher.looks._ask = away
    told = progress(address)
    assert told["waiting"] == 4
    assert "this is how it was before, trying again" in told["notes"][0]
    assert not watcher.step()
    watcher.looks._ask = asked
    assert progress(address)["notes"] == []


def test_an_unfinished_study_shows_validation_results_and_no_look_is_recorded(
    database: Database, tmp_path: Path
) -> None:
    finish(database, 0.75)
    watch_study("slow", Home(tmp_path, database.url), WatchOptions(once=True))
    report = (tmp_path / "reports" / "slow" / "report.html").read_text(encoding="utf-8")
    assert "Unfinished study: 3 of 4 trials have a result" in report
    assert "<strong>validation</strong> patients" in report
    assert frames.looks(database, "slow").empty


def test_once_writes_the_pages_and_serves_nothing(
    database: Database, tmp_path: Path, built: list[Path]
) -> None:
    watch_study("slow", Home(tmp_path, database.url), WatchOptions(once=True, out=tmp_path / "out"))
    page = (tmp_path / "out" / "watch.html").read_text(encoding="utf-8")
    assert "0 of 4 trials done" in page
    assert "progress.json" not in page
    assert not (tmp_path / "out" / "report.html").exists()
    finish(database, 0.5)
    watch_study("slow", Home(tmp_path, database.url), WatchOptions(once=True, out=tmp_path / "out"))
    assert "2 of 4 trials done" in (tmp_path / "out" / "watch.html").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "report.html").is_file()


def test_an_unknown_study_or_style_is_refused(database: Database, tmp_path: Path) -> None:
    home = Home(tmp_path, database.url)
    with pytest.raises(InputError, match="nope"):
        watch_study("nope", home, FAST)
    with pytest.raises(InputError, match="unknown style 'nope'"):
        watch_study("slow", home, WatchOptions(style="nope"))


def test_text_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    replace_text(page, "one")
    with pytest.raises(UnicodeEncodeError):
        replace_text(page, "half \ud800")
    assert page.read_text() == "one"
    assert os.listdir(tmp_path) == ["page.html"]


@pytest.mark.parametrize("ending", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.full)])
def test_a_signal_ends_it_cleanly(database: Database, tmp_path: Path, ending: signal.Signals) -> None:
    arguments = ["watch", "slow", "--home", str(tmp_path), "--every", "0.2"]
    with subprocess.Popen(
        [*LOSSBENCH, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/", line)
        assert found is not None, line + process.stdout.read()
        assert progress(found[0])["waiting"] == 4
        began = time.monotonic()
        process.send_signal(ending)
        rest, _ = process.communicate(timeout=20)
    assert process.returncode == 0, rest
    assert "Traceback" not in rest
    assert time.monotonic() - began < 10
    with pytest.raises(ConnectionRefusedError):
        Answer(found[0], "/")
