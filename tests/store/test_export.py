"""Export to a folder and back: the same frames, and nothing that should not go out."""

import csv
import getpass
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pyarrow.parquet
import pytest

from harness.errors import InputError
from harness.store.database import Database, open_database
from harness.store.exchange.exporting import FRAMES, export
from harness.store.exchange.importing import loaded
from harness.store.exchange.merging import merge
from harness.store.exchange.names import file_name
from harness.store.integrity import faults
from harness.store.trials import TrialStore
from harness.store.versions import SCHEMA_VERSION
from tests.store import made_up
from tests.store.labs import HOSTILE, Lab, all_scores, study_frames

FORMATS = ("parquet", "csv")
ENGINES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.full)]
from_a_file = pytest.mark.parametrize("database", ENGINES, indirect=True)
"""For what is asked of the folder; that both engines fill it alike is asked by tests without this mark."""


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'empty.db'}", create=True)
    yield database
    database.close()


@pytest.mark.parametrize("file_format", FORMATS)
def test_an_exported_database_comes_back_whole(
    file_format: str, database: Database, empty: Database, tmp_path: Path
) -> None:
    Lab(seeds=(0, 1)).fill(database)
    export(database, tmp_path / "out", file_format=file_format)
    with loaded(tmp_path / "out") as other:
        report = merge(empty, other)
        assert not merge(database, other).changed
    assert report.conflicts == ()
    assert all_scores(empty) == all_scores(database)
    for name, expected in study_frames(database).items():
        pd.testing.assert_frame_equal(study_frames(empty)[name], expected, obj=name)
    assert faults(empty) == []


def test_an_export_comes_back_to_a_server(database: Database, tmp_path: Path) -> None:
    source = open_database(f"sqlite:///{tmp_path / 'source.db'}", create=True)
    Lab().fill(source)
    export(source, tmp_path / "out")
    with loaded(tmp_path / "out") as other:
        merge(database, other)
    assert all_scores(database) == all_scores(source)
    source.close()


@pytest.mark.full
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_whole_study_comes_back_whole(
    file_format: str, database: Database, empty: Database, tmp_path: Path
) -> None:
    made_up.fill(database, tmp_path, seeds=2)
    export(database, tmp_path / "out", file_format=file_format)
    with loaded(tmp_path / "out") as other:
        assert merge(empty, other).conflicts == ()
    for name in ("scores", "curves", "class_curves", "trials", "cases", "metrics"):
        frame = FRAMES[name]
        pd.testing.assert_frame_equal(frame(empty, made_up.STUDY), frame(database, made_up.STUDY), obj=name)


def test_one_study_takes_only_what_it_needs(database: Database, empty: Database, tmp_path: Path) -> None:
    Lab().fill(database)
    TrialStore(database, "x").register_study("unrelated", "", {})
    manifest = export(database, tmp_path / "out", ["s"])
    assert [study.name for study in manifest.studies] == ["s"]
    with loaded(tmp_path / "out") as other:
        merge(empty, other)
    with empty.read() as connection:
        assert connection.exec_driver_sql("SELECT name FROM study").scalars().all() == ["s"]
    with pytest.raises(InputError, match="no study 'unrelate' in the database; did you mean 'unrelated'"):
        export(database, tmp_path / "again", ["unrelate"])
    assert not (tmp_path / "again").exists()


@from_a_file
@pytest.mark.parametrize("file_format", FORMATS)
def test_frames_are_read_by_anybody(file_format: str, database: Database, tmp_path: Path) -> None:
    Lab().fill(database)
    export(database, tmp_path / "out", file_format=file_format)
    path = tmp_path / "out" / "studies" / "s" / f"scores.{file_format}"
    found = pd.read_parquet(path) if file_format == "parquet" else pd.read_csv(path)
    expected = study_frames(database)["scores"]
    assert found["value"].tolist() == pytest.approx(expected["value"].tolist(), abs=0, nan_ok=True)
    assert found["case"].astype(str).tolist() == expected["case"].astype(str).tolist()


def test_challenger_files_have_a_value_for_every_algorithm_and_case(
    database: Database, tmp_path: Path
) -> None:
    Lab(seeds=(0, 1)).fill(database)
    manifest = export(database, tmp_path / "out")
    path = tmp_path / "out" / "studies" / "s" / "challengeR" / "dsc.csv"
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["task", "case", "alg_name", "value"]
    assert {row["alg_name"]: float(row["value"]) for row in rows} == pytest.approx(
        {"CE": 0.005, HOSTILE: 0.205}  # means over seeds
    )
    assert {row["task"] for row in rows} == {"set: white <matter>"}
    [dsc] = [file for file in manifest.files if file.holds == "challengeR" and file.name == "dsc"]
    assert dsc.small_better is False


@from_a_file
def test_an_algorithm_that_lacks_cases_is_left_out_and_named(database: Database, tmp_path: Path) -> None:
    keys = Lab().fill(database)
    with database.write() as connection:
        trial = f"(SELECT id FROM trial WHERE key = '{keys[0]}')"
        connection.exec_driver_sql(f"DELETE FROM score WHERE trial_id = {trial}")
    manifest = export(database, tmp_path / "out")
    assert {found.algorithm: found.left_out for found in manifest.algorithms} == {
        "CE": "no test scores",
        HOSTILE: "",
    }


@from_a_file
def test_a_metric_that_only_some_losses_have_leaves_the_others_in_the_rest(
    database: Database, tmp_path: Path
) -> None:
    keys = Lab().fill(database)
    with database.write() as connection:
        place = (
            f"trial_id = (SELECT id FROM trial WHERE key = '{keys[0]}') AND "
            "metric_id = (SELECT id FROM metric WHERE name = 'hd')"
        )
        connection.exec_driver_sql(f"DELETE FROM score WHERE {place}")
    manifest = export(database, tmp_path / "out")
    found = {
        file.name: set(pd.read_csv(tmp_path / "out" / file.path)["alg_name"])
        for file in manifest.files
        if file.holds == "challengeR"
    }
    assert found == {"dsc": {"CE", HOSTILE}, "hd": {HOSTILE}}
    assert {each.algorithm: each.left_out for each in manifest.algorithms} == {
        "CE": "not every patient has hd",
        HOSTILE: "",
    }


@from_a_file
def test_names_of_studies_make_no_file_elsewhere_and_come_back(
    database: Database, empty: Database, tmp_path: Path
) -> None:
    names = [HOSTILE, "../../outside", "/outside", "S", "CON", "."]
    Lab().fill(database)
    for name in names:
        TrialStore(database, "x").register_study(name, HOSTILE, {"text": HOSTILE})
    manifest = export(database, tmp_path / "below" / "out", file_format="csv")
    assert [path.name for path in (tmp_path / "below").iterdir()] == ["out"]
    assert len({study.folder.lower() for study in manifest.studies}) == len(names) + 1
    with loaded(tmp_path / "below" / "out") as other:
        merge(empty, other)
    with empty.read() as connection:
        found = connection.exec_driver_sql("SELECT name FROM study").scalars().all()
    assert set(found) == {"s", *names}


@from_a_file
def test_the_manifest_tells_rows_columns_and_sha256(database: Database, tmp_path: Path) -> None:
    Lab().fill(database)
    export(database, tmp_path / "out")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    files = {file["path"]: file for file in manifest["files"]}
    on_disk = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert set(files) | {"manifest.json"} == on_disk
    score = files["tables/score.parquet"]
    assert (score["rows"], score["columns"]["value"]) == (8, "real")
    assert pyarrow.parquet.read_metadata(tmp_path / "out" / "tables" / "score.parquet").num_rows == 8


@from_a_file
@pytest.mark.parametrize("file_format", FORMATS)
def test_a_changed_file_is_refused(
    file_format: str, database: Database, empty: Database, tmp_path: Path
) -> None:
    Lab().fill(database)
    export(database, tmp_path / "out", file_format=file_format)
    path = tmp_path / "out" / "tables" / f"score.{file_format}"
    path.write_bytes(path.read_bytes() + b"1")
    with (
        pytest.raises(InputError, match="has another sha256 than the manifest says"),
        loaded(tmp_path / "out"),
    ):
        pass
    path.unlink()
    with pytest.raises(InputError, match="copy the folder again, whole"), loaded(tmp_path / "out"):
        pass
    assert all_scores(empty) == set()


@from_a_file
def test_a_newer_export_and_another_folder_are_refused(database: Database, tmp_path: Path) -> None:
    Lab().fill(database)
    export(database, tmp_path / "out")
    path = tmp_path / "out" / "manifest.json"
    manifest = path.read_text()
    for version, sentence in (("0999", "version 0999 .* newer lossbench"), ("0003", "exported version 0003")):
        path.write_text(
            manifest.replace(f'"schema_version": "{SCHEMA_VERSION}"', f'"schema_version": "{version}"')
        )
        with pytest.raises(InputError, match=sentence), loaded(tmp_path / "out"):
            pass
    with pytest.raises(InputError, match="give a folder that 'lossbench db export' wrote"), loaded(tmp_path):
        pass


@from_a_file
def test_a_folder_that_is_not_empty_stays_as_it_is(database: Database, tmp_path: Path) -> None:
    Lab().fill(database)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(InputError, match="is there and not empty; give the name of a new folder"):
        export(database, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@from_a_file
def test_an_empty_folder_is_filled_where_it_is(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lab().fill(database)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to("elsewhere")  # for example to a mounted disk
    export(database, tmp_path / "link")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    export(database, Path())
    for folder in ("elsewhere", "here"):
        assert {path.name for path in (tmp_path / folder).iterdir()} == {"manifest.json", "tables", "studies"}
        with loaded(tmp_path / folder) as other:
            assert all_scores(other) == all_scores(database)


@from_a_file
def test_an_export_that_breaks_leaves_no_folder(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Lab().fill(database)

    def break_down(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("harness.store.exchange.exporting.write_manifest", break_down)
    (tmp_path / "below").mkdir()
    for folder in (tmp_path / "below" / "out", tmp_path / "below"):
        with pytest.raises(InputError, match="No space left on device"):
            export(database, folder)
        assert list((tmp_path / "below").iterdir()) == []


@from_a_file
def test_nothing_in_an_export_names_a_machine_a_person_or_a_folder(
    database: Database, tmp_path: Path
) -> None:
    Lab().fill(database)
    export(database, tmp_path / "out", file_format="csv")
    text = "".join(path.read_text() for path in (tmp_path / "out").rglob("*.*"))
    assert socket.gethostname() not in text
    assert str(tmp_path) not in text
    assert f"/{getpass.getuser()}/" not in text


@pytest.mark.parametrize("name", ["../../etc/x", "a/b", "", ".", "con", "A", "a", "x" * 300, HOSTILE, "é"])
def test_file_names_stay_inside_their_folder_and_apart(name: str) -> None:
    made = file_name(name)
    assert Path(made).name == made
    assert made not in {"", ".", "..", "con"}
    assert len(made) < 64
    assert made != file_name(name + "!")
