"""Names are data: whatever is in them, nothing breaks, nothing runs, and they come back unchanged."""

import csv
import html.parser
import io
import json
import re
import shutil
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.errors import InputError
from harness.study.spec import load_study
from tests.cli.hostile import CASES, CLASSES, LABELS, TESTED, TITLE, write_hostile_study
from tests.conftest import lossbench, lossbench_process

EVERY = {*LABELS, "Dice"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study, run and reported."""
    root = tmp_path_factory.mktemp("hostile")
    write_hostile_study(root)
    for call, command in (
        (lossbench, ("run", "tiny.yaml", "--local", "--data", ".")),
        (lossbench_process, ("report", "tiny.yaml")),  # which would print warnings of matplotlib
    ):
        done = call(*command, cwd=root)
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr
        assert "Glyph" not in done.stderr
    return root


def report(folder: Path) -> Path:
    return folder / "lossbench-home" / "reports" / "tiny"


def asked(folder: Path, *arguments: str, call: Callable[..., Any] = lossbench) -> str:
    done = call(*arguments, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_nothing_is_executed_and_nothing_leaves_the_home(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {"discs", "discs.yaml", "tiny.yaml", "lossbench-home"}
    assert not list(folder.rglob("pwned*"))
    assert not (folder.parent / "pwned").exists()


def test_names_are_in_the_database_as_they_were_given(folder: Path) -> None:
    with closing(sqlite3.connect(folder / "lossbench-home" / "results.db")) as connection:
        labels = {row[0] for row in connection.execute("SELECT label FROM study_trial")}
        cases = {row[0] for row in connection.execute('SELECT name FROM "case"')}
        [title] = connection.execute("SELECT title FROM study").fetchone()
        [classes] = connection.execute("SELECT classes FROM dataset").fetchone()
    assert labels == EVERY
    assert cases == set(CASES)
    assert title == TITLE
    assert json.loads(classes) == ["background", *CLASSES]


def test_queries_give_the_names_back(folder: Path) -> None:
    sql = "select distinct loss, case_name, class_name from v_case_score where part = 'test'"
    rows = json.loads(asked(folder, "db", "query", sql, "--format", "json"))
    assert {row["loss"] for row in rows} == EVERY
    assert {row["case_name"] for row in rows} == set(TESTED)
    assert {row["class_name"] for row in rows} == set(CLASSES)
    text = asked(folder, "db", "query", sql, "--format", "csv")
    assert {row["loss"] for row in csv.DictReader(io.StringIO(text, newline=""))} == EVERY
    table = asked(folder, "db", "query", "select distinct loss from v_trial")
    assert "[bold]rich[/bold] [red]" in table
    assert "\x1b" not in table
    assert "\u202e" not in table


def test_every_listing_prints_them_without_obeying(folder: Path) -> None:
    for arguments in (
        ("plan", "tiny.yaml", "--data", "."),
        ("status",),
        ("predict", "--list"),
        ("db", "info"),
    ):
        text = asked(folder, *arguments)
        assert "\x1b" not in text
        assert "\x07" not in text
    told = asked(folder, "status", "--json", call=lossbench_process)  # whose output has an encoding
    assert {row["loss"] for row in json.loads(told)["trials"]} == EVERY


@pytest.mark.full
def test_trace_and_rerun_know_them(folder: Path, tmp_path: Path) -> None:
    sql = "select loss, trial from v_trial where seed = 0"
    rows = json.loads(asked(folder, "db", "query", sql, "--format", "json"))
    [dice] = [row["trial"] for row in rows if row["loss"] == "Dice"]
    [other] = {row["trial"] for row in rows if row["loss"] != "Dice"}  # one trial under all labels
    assert "key verified" in asked(folder, "db", "trace", other)
    text = asked(folder, "db", "rerun", dice)
    (folder / "rerun.yaml").write_text(text)
    try:
        planned = lossbench("plan", "rerun.yaml", "--data", ".", cwd=folder)
        assert planned.returncode == 0, planned.stderr
    finally:
        (folder / "rerun.yaml").unlink()


class _Page(html.parser.HTMLParser):
    """Collects tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_shows_them_and_runs_no_script_of_theirs(folder: Path) -> None:
    page = _Page()
    source = (report(folder) / "report.html").read_text()
    page.feed(source)
    text = " ".join("".join(page.words).split())
    for name in EVERY:
        assert " ".join(re.sub("[\x07\x1b\u202e]", "?", name).split()) in text
    assert not re.search("[\x07\x1b\u202e]", source)
    scripts = re.findall(r"<script[^>]*>(.*?)</script>", source, re.DOTALL)
    assert scripts
    assert not any("alert(" in script for script in scripts)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert not any(attributes.get("src") == "x" for tag, attributes in page.tags if tag == "img")


def test_tables_hold_them_in_csv_markdown_and_latex(folder: Path) -> None:
    tables = report(folder) / "tables"
    with (tables / "t1.csv").open(newline="", encoding="utf-8") as stream:
        found = {row["loss"] for row in csv.DictReader(stream)}
    assert found >= EVERY - {"null"}
    latex = (tables / "t1.tex").read_text()
    body = latex[latex.index(r"\midrule") : latex.index(r"\bottomrule")]
    assert r"\textbackslash{}input\{x\}" in body
    assert r"\input{x}" not in body
    assert not re.search(r"(?<!\\)[%#_](?![a-z]*\})", body.replace(r"\textsuperscript", ""))
    ours = body.replace("\\\\*\n", "\\\\\n")  # no page break below the name of a family
    assert not re.search(r"\\\\\s*[\[*]", ours)  # LaTeX would take them for an argument of the row's end
    assert "\x07" not in latex
    markdown = (tables / "t1.md").read_text()
    assert "<script>" not in markdown


def packages_that_are_missing(needed: str) -> list[str]:
    names = re.findall(r"[a-z]+", needed.removeprefix(r"\usepackage"))
    found = [subprocess.run(["kpsewhich", f"{name}.sty"], capture_output=True, check=False) for name in names]
    return [name for name, done in zip(names, found, strict=True) if done.returncode]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no TeX engine is installed")
def test_latex_tables_compile(folder: Path, tmp_path: Path) -> None:
    for table in sorted((report(folder) / "tables").glob("*.tex")):
        text = table.read_text().encode("ascii", "replace").decode()  # pdflatex has no fonts for all scripts
        packages = re.findall(r"^% needs (.*)", text)[0]
        if missing := packages_that_are_missing(packages):
            pytest.skip(f"LaTeX packages are not installed: {', '.join(missing)}")
        (tmp_path / "t.tex").write_text(
            f"\\documentclass{{article}}{packages}\\begin{{document}}{text}\\end{{document}}"
        )
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]


@pytest.mark.full
def test_an_export_comes_back_with_them(folder: Path, tmp_path: Path) -> None:
    home = folder / "lossbench-home"
    for how in ("parquet", "csv"):
        asked(tmp_path, "db", "export", how, "--format", how, "--home", str(home))
        assert {path.name for path in (tmp_path / how).iterdir()} == {"manifest.json", "tables", "studies"}
        asked(tmp_path, "db", "import", how, "--home", f"from-{how}")
    asked(tmp_path, "db", "merge", str(home), "--home", "merged")
    for copy in ("from-parquet", "from-csv", "merged"):
        rows = json.loads(
            asked(tmp_path, "db", "query", "select loss from v_trial", "--format", "json", "--home", copy)
        )
        assert {row["loss"] for row in rows} == EVERY
    assert not list(tmp_path.rglob("pwned*"))


@pytest.mark.full
def test_a_server_keeps_them_unchanged(folder: Path, tmp_path: Path, postgresql_url: str) -> None:
    on_server = ("--db", postgresql_url)
    asked(tmp_path, "db", "merge", str(folder / "lossbench-home"), *on_server)
    sql = "select distinct loss, case_name, class_name from v_case_score where part = 'test'"
    rows = json.loads(asked(tmp_path, "db", "query", sql, "--format", "json", *on_server))
    assert {row["loss"] for row in rows} == EVERY
    assert {row["case_name"] for row in rows} == set(TESTED)
    assert {row["class_name"] for row in rows} == set(CLASSES)
    asked(tmp_path, "db", "delete", "tiny", "--yes", *on_server)
    assert asked(tmp_path, "db", "check", *on_server).strip() == "whole"


def test_names_in_somebody_elses_database_lead_out_of_no_folder(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    (tmp_path / "here" / "lossbench-home" / "artifacts").mkdir(parents=True)
    outside = "../../../victim"
    with closing(sqlite3.connect(folder / "lossbench-home" / "results.db")) as source:
        theirs = sqlite3.connect(tmp_path / "theirs.db")
        source.backup(theirs)
    theirs.execute("UPDATE trial SET key = ? WHERE id = (SELECT min(id) FROM trial)", (outside,))
    theirs.execute("UPDATE study SET name = ?", (outside,))
    theirs.commit()
    theirs.close()
    asked(tmp_path / "here", "db", "merge", "../theirs.db", call=lossbench_process)  # which closes theirs
    refused = lossbench("report", outside, cwd=tmp_path / "here")
    assert refused.returncode == 2
    assert "no folder can have this name; give --out" in refused.stderr
    asked(tmp_path / "here", "db", "delete", outside, "--yes")
    assert {path.name for path in tmp_path.iterdir()} == {"victim", "here", "theirs.db"}
    assert not list((tmp_path / "victim").iterdir())


@pytest.mark.parametrize(
    "name", ["..", *(pytest.param(name, marks=pytest.mark.full) for name in (".x", "-n", "a/b"))]
)
def test_a_study_is_not_called_like_another_folder_or_an_option(folder: Path, name: str) -> None:
    with pytest.raises(InputError, match="study"):
        load_study(str(folder / "tiny.yaml"), (f"study={name!r}",))


@pytest.mark.full
def test_a_study_of_theirs_is_deleted_alone(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "lossbench-home", tmp_path / "lossbench-home")
    asked(tmp_path, "db", "delete", "tiny", "--yes")
    assert asked(tmp_path, "db", "check").strip() == "whole"


def test_a_file_name_that_is_no_text_is_refused_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "discs", tmp_path / "discs")
    shutil.copy(folder / "discs.yaml", tmp_path)
    for path in list((tmp_path / "discs").rglob("file*.nii.gz")):
        bad = bytes(path.parent) + b"/fi\xffle" + path.name.removeprefix("file").encode()
        path.rename(bad.decode("utf-8", "surrogateescape"))
    text = (tmp_path / "discs.yaml").read_text()
    (tmp_path / "discs.yaml").write_text(re.sub(r"\n +- file\n", "\n", text))
    done = lossbench("data", "prepare", "discs.yaml", "--data", ".", cwd=tmp_path)
    assert done.returncode == 2
    assert "case 'fi\\udcffle' has a name that is no text in UTF-8" in done.stderr
    assert "rename its files" in done.stderr
    assert "Traceback" not in done.stderr
