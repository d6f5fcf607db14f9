import base64
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from harness.errors import InputError
from harness.store.database import Database, open_database
from harness.store.frames import looks
from harness.store.schema import ScoreRow, TrialRow
from reports import build
from reports.build import ReportOptions, WrittenReport, build_report
from reports.figures.save_all import worthwhile_processes
from reports.results import StudyResults, load_results

Copy = Callable[[Path], Database]


class Collector(HTMLParser):
    """Every address that a browser would load or follow, and the visible text."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[tuple[str, str]] = []
        self.unnamed: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.addresses += [(tag, found[name]) for name in ("src", "href", "xlink:href") if name in found]
        if tag == "img" and not found.get("alt"):
            self.unnamed.append(tag)
        if found.get("role") == "img" and not found.get("aria-label"):
            self.unnamed.append(tag)

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(page: Path) -> Collector:
    collector = Collector()
    collector.feed(page.read_text())
    return collector


@pytest.fixture
def no_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures have tests of their own."""
    monkeypatch.setattr(build, "save_figures", lambda *_: ([], ["left out"]))


def test_page_loads_nothing_from_outside(report: WrittenReport) -> None:
    found = read(report.page)
    assert not [address for _, address in found.addresses if re.match(r"(https?:)?//", address)]
    loaded = [address for tag, address in found.addresses if tag in {"img", "script", "link", "image"}]
    assert all(address.startswith("data:") for address in loaded)
    assert not re.search(r"@import|url\((?!#)", report.page.read_text().split("</style>")[0])


def test_page_names_no_folder_and_no_user(report: WrittenReport, finished: Path) -> None:
    for path in [report.page, *report.page.parent.glob("tables/*")]:
        text = path.read_text()
        assert "/home/" not in text
        assert "somebody" not in text
        assert str(finished) not in text
    assert "eyes.yaml" in report.page.read_text()


def test_page_has_a_text_for_every_picture(report: WrittenReport) -> None:
    assert read(report.page).unnamed == []


def test_page_shows_everything_it_should(report: WrittenReport, synthetic: ModuleType) -> None:
    text = " ".join("".join(read(report.page).text).split())
    for needed in (
        "A made-up comparison",
        "Simulated data: heads-sim",
        synthetic.HOSTILE,
        "the loss was not finite in epoch 4",
        "validation DSC 0.012 is below 0.05",
        "rebalance: start 1, floor 0.05, over 0.5",
        "(0.05, 0.95)",
        "learning rate of 0.001",
        "Looks at the test set",
        "evaluation: test",
    ):
        assert needed in text
    assert "Unfinished study" not in text


def test_downloads_hold_the_files(report: WrittenReport) -> None:
    addresses = [address for tag, address in read(report.page).addresses if tag == "a"]
    embedded = [address for address in addresses if address.startswith("data:text/csv")]
    written = {path.read_bytes() for path in report.page.parent.glob("*/*.csv")}
    assert {base64.b64decode(address.split(",")[1]) for address in embedded} == written
    for address in addresses:
        if not address.startswith(("data:", "#")):
            assert (report.page.parent / address).is_file()


def files_of_another(
    report: WrittenReport, finished: Path, out: Path, *only: str, workers: int = 1
) -> list[Path]:
    """Build the report again and return the names of its files, which have the same bytes in both."""
    database = open_database(f"sqlite:///{report.page.parent.parent / 'results.db'}")
    options = ReportOptions(only=only, workers=workers)
    build_report(database, "made-up", out, finished / "prepared", finished / "artifacts", options)
    assert len(looks(database, "made-up")) == 1
    database.close()
    names = sorted(path.relative_to(out) for path in out.rglob("*") if path.is_file())
    first = report.page.parent
    assert [name for name in names if (first / name).read_bytes() != (out / name).read_bytes()] == []
    return names


def test_same_results_give_the_same_tables_and_figures(
    report: WrittenReport, finished: Path, tmp_path: Path
) -> None:
    """That the page is the same is asked below, with two looks at a study that is not complete."""
    codes = {each.code for each in report.tables}
    names = files_of_another(report, finished, tmp_path, *codes, "F2")
    tables = {path.relative_to(report.page.parent) for each in report.tables for path in each.files}
    assert {name for name in names if name.parent.name == "tables"} == tables
    assert {name.suffix for name in names if name.parent.name == "figures"} >= {".pdf", ".png", ".csv"}


@pytest.mark.full
@pytest.mark.parametrize("workers", [1, 3])
def test_same_results_give_the_same_bytes(
    report: WrittenReport, finished: Path, tmp_path: Path, workers: int
) -> None:
    first = report.page.parent
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert files_of_another(report, finished, tmp_path, workers=workers) == names


def test_processes_are_started_for_large_studies_only(
    results: StudyResults, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: range(64))
    many = tuple(replace(results.losses[0], label=f"loss {number}") for number in range(100))
    assert worthwhile_processes(results) == 1
    assert worthwhile_processes(replace(results, losses=many)) == 6
    assert worthwhile_processes(replace(results, losses=many * 9)) == 8  # memory is not without end


@pytest.mark.usefixtures("no_figures")
class TestLooks:
    def build(self, database: Database, root: Path, out: Path, **options: Any) -> str:
        return build_report(
            database, "made-up", out, root / "prepared", root / "artifacts", ReportOptions(**options)
        ).page.read_text()

    def test_partial_study_shows_validation_results_and_records_no_look(
        self, partial: Path, copy_of: Copy, tmp_path: Path
    ) -> None:
        database = copy_of(partial)
        page = self.build(database, partial, tmp_path)
        assert "Unfinished study: 8 of 14 trials" in page
        assert "Validation results are shown" in page
        assert "VALIDATION" in (tmp_path / "tables" / "t1.tex").read_text()
        assert len(looks(database, "made-up")) == 0

    def test_seeds_with_validation_patients_of_their_own_are_reported_without_a_verdict(
        self, synthetic: ModuleType, tmp_path: Path
    ) -> None:
        study = synthetic.make_study(tmp_path, seeds=2, finish=0.8)
        with study.database.write() as connection:
            trials = select(TrialRow.id).where(TrialRow.seed == 1)
            first = select(func.min(ScoreRow.case_id)).where(ScoreRow.part == "validation")
            connection.execute(
                delete(ScoreRow).where(
                    ScoreRow.trial_id.in_(trials), ScoreRow.case_id == first.scalar_subquery()
                )
            )
        page = self.build(study.database, tmp_path, tmp_path / "out")
        assert "every seed has validation patients of its own" in page
        assert "finish the study first" in page
        assert not (tmp_path / "out" / "decision.json").exists()
        study.database.close()

    def test_peeking_shows_test_results_and_counts_once(
        self, partial: Path, copy_of: Copy, tmp_path: Path
    ) -> None:
        database = copy_of(partial)
        first = self.build(database, partial, tmp_path, peek=True)
        second = self.build(database, partial, tmp_path, peek=True)
        assert first == second
        assert "TEST results of an unfinished study" in first
        recorded = looks(database, "made-up")
        assert recorded["complete"].tolist() == [False]

    def test_new_test_scores_are_a_new_look(self, finished: Path, copy_of: Copy, tmp_path: Path) -> None:
        database = copy_of(finished)
        with database.write() as connection:
            one = TrialRow.key == "00-eyes"
            [finish] = connection.scalars(select(TrialRow.finished).where(one))
            again = {"state": "waiting", "finished": None, "collapsed": None}
            connection.execute(update(TrialRow).where(one).values(**again))
        self.build(database, finished, tmp_path, peek=True)
        with database.write() as connection:
            done = {"state": "done", "finished": finish, "collapsed": False}
            connection.execute(update(TrialRow).where(one).values(**done))
        self.build(database, finished, tmp_path)
        assert looks(database, "made-up")["complete"].tolist() == [False, True]

    def test_a_failed_trial_leaves_the_study_unfinished(
        self, finished: Path, copy_of: Copy, tmp_path: Path
    ) -> None:
        database = copy_of(finished)
        reason = "FileNotFoundError: '/home/somebody/secret/x.npy'"
        failed = {"state": "failed", "collapsed": None, "reason": reason}
        with database.write() as connection:
            connection.execute(update(TrialRow).where(TrialRow.key == "00-eyes").values(**failed))
        page = self.build(database, finished, tmp_path)
        assert "41 of 42 trials have a result, 1 failed" in page
        assert "x.npy" in page
        assert "somebody" not in page

    def test_a_study_lacks_the_folds_that_nobody_has_trained(
        self, finished: Path, copy_of: Copy, tmp_path: Path
    ) -> None:
        database = copy_of(finished)
        kfold = {"split": {"kind": "kfold", "k": 2}, "loss": {}}
        with database.write() as connection:
            connection.execute(update(TrialRow).where(TrialRow.key.like("%-eyes")).values(canonical=kfold))
        page = self.build(database, finished, tmp_path)
        assert "42 of 63 trials have a result" in page
        assert "eyes: no complete run yet" in page

    def test_one_seed_prints_no_spread(self, partial: Path, copy_of: Copy, tmp_path: Path) -> None:
        self.build(copy_of(partial), partial, tmp_path)
        text = (tmp_path / "tables" / "t1.md").read_text()
        assert "There is one seed" in text
        assert "SD over seeds" not in text
        assert re.search(r"\| \d\.\d{3} \|", text)

    def test_study_that_evaluates_on_validation_says_so_everywhere(
        self, synthetic: ModuleType, tmp_path: Path
    ) -> None:
        study = synthetic.make_study(tmp_path, seeds=1, evaluation="validation")
        page = self.build(study.database, tmp_path, tmp_path / "out")
        assert "evaluates on validation patients" in page
        for table in (tmp_path / "out" / "tables").glob("*.md"):
            assert "VALIDATION results, because the study declares" in table.read_text()
        assert len(looks(study.database, "made-up")) == 0

    @pytest.mark.parametrize(
        ("numerics", "processor"),
        [
            ("x86_64, 4 threads, float32, torch 2.13.0", ""),
            ("x86_64, 1 thread, float32, torch 2.13.0", "Another processor"),  # not told by older classes
        ],
    )
    def test_mixed_numerics_are_warned_about(
        self,
        finished: Path,
        copy_of: Copy,
        synthetic: ModuleType,
        tmp_path: Path,
        numerics: str,
        processor: str,
    ) -> None:
        database = copy_of(finished)
        assert "numerics classes" not in self.build(database, finished, tmp_path)
        other = {"python": "3.11", "torch": "2.13.0", "device": "x86_64", "processor": processor}
        synthetic.move_to_environment(database, "00-eyes", other, numerics)
        assert "2 numerics classes" in self.build(database, finished, tmp_path)


def test_study_without_results_is_refused(synthetic: ModuleType, tmp_path: Path) -> None:
    study = synthetic.make_study(tmp_path, seeds=1, finish=0.0)
    with pytest.raises(InputError, match="study 'made-up' has no finished trial yet"):
        load_results(study.database, "made-up", study.prepared, study.artifacts, peek=False)


def test_unknown_study_is_refused_with_its_neighbour(finished: Path) -> None:
    database = open_database(f"sqlite:///{finished / 'results.db'}")
    with pytest.raises(InputError, match="did you mean 'made-up'"):
        build_report(database, "madeup", finished, finished, finished)
