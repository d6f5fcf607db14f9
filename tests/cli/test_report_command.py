"""``report`` of one study and of several, and ``gallery``, from the command line."""

import re
from pathlib import Path

import pytest

from reports.compare.figures import FIGURES
from reports.compare.tables import TABLES
from reports.figures import figures_in_order
from reports.figures.journals import JOURNALS
from reports.tables import tables_in_order
from tests.conftest import lossbench
from tests.reports.several_studies import OneOf, make_studies


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("home")
    studies = [OneOf(name, 3, ("set0",), 2, 8, name) for name in ("first", "second")]
    make_studies(root, *studies, OneOf("other", ["A", "B"], ("set0",), 2, 8, "c")).close()
    return root


def test_one_study_is_reported_and_several_are_compared_below_the_home_folder(home: Path) -> None:
    chosen = lossbench("report", "first", "--home", ".", "--only", "T1", cwd=home)
    assert chosen.returncode == 0, chosen.stderr
    assert list((home / "reports" / "first" / "tables").glob("*.csv"))
    compared = lossbench("report", "first", "second", "--home", ".", "--style", "springer", cwd=home)
    assert compared.returncode == 0, compared.stderr
    assert (home / "reports" / "first_vs_second" / "compare.html").is_file()
    assert "before and after, from first to second" in compared.stdout
    assert "comparison: reports/first_vs_second/compare.html" in compared.stdout


def test_the_gallery_lists_what_is_below_the_home_folder(home: Path, tmp_path: Path) -> None:
    empty = lossbench("gallery", "--home", tmp_path, cwd=tmp_path)
    assert empty.returncode == 2
    assert "no folder" in empty.stderr
    (home / "reports" / "noted").mkdir(parents=True, exist_ok=True)
    page = "<title>Noted – lossbench</title>"
    (home / "reports" / "noted" / "report.html").write_text(page, encoding="utf-8")
    listed = lossbench("gallery", "--home", ".", cwd=home)
    assert listed.returncode == 0, listed.stderr
    assert "1 report" in listed.stdout
    assert "Noted" in (home / "reports" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("first", "nope"), "nope"),
        (("first", "other"), "no loss of the same label"),
        (("first", "first"), "given twice"),
        (("first", "second", "--style", "nope"), "unknown style 'nope'"),
        (("first", "second", "--only", "F99"), "no figure or table 'F99'"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence_and_exit_code_2(
    home: Path, arguments: tuple[str, ...], said: str
) -> None:
    refused = lossbench("report", *arguments, "--home", ".", cwd=home)
    assert refused.returncode == 2
    assert refused.stderr.startswith("error:")
    assert said in refused.stderr


def test_every_code_name_and_style_is_in_the_guide() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    for entry in (*figures_in_order(), *tables_in_order()):
        assert re.search(rf"^\| .*\b{entry.code}\b.* \| .*`{entry.name}`", guide, re.MULTILINE), entry.name
    for code, _ in (*FIGURES, *TABLES):
        assert f"| {code} |" in guide
    for style in JOURNALS:
        assert f"| `{style}` |" in guide
