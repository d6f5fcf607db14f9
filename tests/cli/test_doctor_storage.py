"""``lossbench doctor`` on home, disks, database and data: each is broken for real where that is possible."""

import json
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from harness.cli.doctor import Setup
from harness.cli.doctor.base import GIB
from harness.cli.doctor.database import judge_file
from harness.cli.doctor.filesystem import judge_space, kind_of
from harness.cli.doctor.ray_folders import judge_path, judge_shared_memory, judge_temporary
from harness.store.database import open_database
from tests.cli.one_check import ONE_CHECK, findings, run, setup_in, with_database


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    return setup_in(tmp_path)


def test_a_home_that_is_not_there_yet_is_fine_and_not_made(setup):
    assert all(each.state != "broken" for each in findings(setup, "home"))
    assert not setup.home.root.exists()


def test_a_file_in_place_of_the_home_is_broken(setup):
    setup.home.root.write_text("")
    (finding,) = findings(setup, "home")
    assert finding.state == "broken"


def in_mount(name: str, tmp_path: Path, options: str) -> list[dict[str, str]]:
    """Run a check on a small file system of its own, in a mount namespace."""
    folder = tmp_path / "mounted"
    folder.mkdir()
    mount = f"mount -t tmpfs -o {options} tmpfs {shlex.quote(str(folder))}"
    private = ["unshare", "--mount", "--map-root-user", "bash", "-c"]
    if shutil.which("unshare") is None or subprocess.run([*private, mount], check=False).returncode:
        pytest.skip("mount namespaces are not allowed here")
    check = shlex.join([sys.executable, "-c", ONE_CHECK, name, str(folder)])
    done = run([*private, f"{mount} && {check}"], tmp_path)
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found


def test_a_nearly_full_disk_is_broken(tmp_path):
    written, space, *_ = in_mount("home", tmp_path, "size=1m")
    assert "file system tmpfs" in written["found"]
    assert space["state"] == "broken"
    assert "free at least" in space["remedy"]


def test_a_disk_that_cannot_be_written_is_broken(tmp_path):
    first, *_ = in_mount("home", tmp_path, "size=20g,ro")
    assert first["state"] == "broken"
    assert "Read-only" in first["found"]


def test_a_disk_without_inodes_is_broken(tmp_path):
    found = in_mount("home", tmp_path, "size=20g,nr_inodes=20")
    assert any("inodes" in each["found"] and each["state"] == "broken" for each in found)


def test_space_is_judged_in_three_steps():
    states = [judge_space(free * GIB, "home").state for free in (0.5, 5, 50)]
    assert states == ["broken", "warning", "fine"]


def test_ray_wants_short_paths_and_room():
    assert judge_path("/tmp/lb-0123456789ab-123456-abcdefgh").state == "fine"
    assert judge_path("/scratch/users/jane/projects/segmentation/tmp/lb-1234").state == "broken"
    assert judge_temporary(total=100 * GIB, free=4 * GIB, folder="/tmp").state == "broken"
    assert judge_temporary(total=100 * GIB, free=40 * GIB, folder="/tmp").state == "fine"
    assert judge_shared_memory(64 * 2**20).state == "warning"  # what Docker gives


def test_the_kind_of_file_system_is_that_of_the_innermost_mount(tmp_path):
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"30 22 0:40 / {str(tmp_path).replace(' ', chr(92) + '040')} rw shared:1 - nfs4 server:/export rw\n"
    )
    assert kind_of(tmp_path / "not" / "there", mounts) == "nfs4"
    assert kind_of(Path("/etc"), mounts) == "ext4"


def test_sqlite_on_a_network_file_system_is_a_warning(tmp_path):
    (finding,) = judge_file(tmp_path / "results.db", "nfs4", clustered=False)
    assert finding.state == "warning"
    assert "PostgreSQL" in finding.remedy
    assert list(judge_file(tmp_path / "results.db", "ext4", clustered=False)) == []


def test_no_database_yet_is_fine_on_both_engines(setup, url, tmp_path):
    found = findings(with_database(setup, url), "database")
    assert [each.state for each in found] == ["fine"]
    assert not (tmp_path / "results.db").exists()


def test_a_database_that_can_be_written_is_fine_and_stays_as_it_is(setup, url):
    database = open_database(url, create=True)
    database.close()
    found = findings(with_database(setup, url), "database")
    assert [each.state for each in found] == ["fine", "fine"]
    if database.dialect == "sqlite":
        assert "journal mode wal" in found[0].found


def test_a_database_of_a_newer_version_is_broken(setup, tmp_path):
    url = f"sqlite:///{tmp_path / 'results.db'}"
    open_database(url, create=True).close()
    with sqlite3.connect(tmp_path / "results.db") as connection:
        connection.execute("UPDATE lossbench_version SET version_num = '9999'")
    (finding,) = findings(with_database(setup, url), "database")
    assert finding.state == "broken"
    assert finding.remedy == "install a newer lossbench"


def test_a_file_that_is_no_database_is_broken(setup, tmp_path):
    (tmp_path / "results.db").write_text("loss,dsc\nce,0.9\n" * 100)
    (finding,) = findings(with_database(setup, f"sqlite:///{tmp_path / 'results.db'}"), "database")
    assert finding.state == "broken"


def test_a_server_that_does_not_answer_is_broken_and_its_password_is_not_shown(setup):
    (finding,) = findings(with_database(setup, "postgresql://jane:hunter2@127.0.0.1:1/results"), "database")
    assert finding.state == "broken"
    assert finding.remedy
    assert "hunter2" not in finding.found + finding.remedy


def test_a_server_that_refuses_to_write_is_broken(setup, postgresql_url):
    open_database(postgresql_url, create=True).close()
    role = f"reader_{os.getpid()}"
    engine = create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {role}")
        connection.exec_driver_sql(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}")
        as_reader = engine.url.update_query_dict({"options": f"-c role={role}"})
        try:
            url = as_reader.render_as_string(hide_password=False)
            last = findings(with_database(setup, url), "database")[-1]
        finally:
            connection.exec_driver_sql(f"DROP OWNED BY {role}")
            connection.exec_driver_sql(f"DROP ROLE {role}")
    engine.dispose()
    assert last.state == "broken"
    assert "permission denied" in last.found


def test_missing_data_is_a_warning_and_a_wrong_archive_is_broken(setup):
    (finding,) = findings(setup, "data")
    assert finding.state == "warning"
    setup.data.mkdir()
    assert [each.state for each in findings(setup, "data")] == ["warning"]
    (setup.data / "wmh2017").mkdir()
    first, *_ = findings(setup, "data")
    assert first.state == "broken"
    assert "wmh2017" in first.found


def test_a_case_that_lacks_a_file_is_found_without_opening_any(setup):
    case = setup.data / "wmh2017" / "Utrecht" / "0"
    (case / "pre").mkdir(parents=True)
    for name in ("wmh.nii.gz", "pre/FLAIR.nii.gz"):
        (case / name).touch()
    first, *_ = findings(setup, "data")
    assert first.state == "broken"
    assert "1 of 1 cases lack files" in first.found
    assert "lossbench data check wmh2017" in first.remedy
    (case / "pre" / "T1.nii.gz").touch()
    first, *rest = findings(setup, "data")
    assert (first.state, first.found) == ("fine", "wmh2017: 1 cases, all files there")
    assert any(each.found.startswith("not here: acdc") for each in rest)
