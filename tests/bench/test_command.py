"""``lossbench bench`` as a user meets it."""

import json

from tests.conftest import lossbench


def test_json_on_stdout_and_progress_on_stderr(tmp_path):
    done = lossbench("bench", "losses", "--only", "ce,weighted_ce", "--rounds", "1", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["rounds"] == 1
    assert found["machine"]["threads"] == 1
    (benchmark,) = found["benchmarks"]
    assert benchmark["benchmark"] == "losses"
    assert [row["name"] for row in benchmark["rows"]] == ["ce", "weighted_ce"]
    assert all(row["busy_ms"] > 0 for row in benchmark["rows"])
    assert "losses 2/2: weighted_ce" in done.stderr


def test_table_for_people(tmp_path):
    done = lossbench("bench", "losses", "--only", "ce", "--rounds", "1", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "vs ce (wall)" in done.stdout
    assert "1 rounds" in done.stdout


def test_list_names_every_benchmark_and_row(tmp_path):
    found = json.loads(lossbench("bench", "--list", "--json", cwd=tmp_path).stdout)
    rows = {entry["benchmark"]: entry["rows"] for entry in found}
    assert rows["distance_maps"] == ["2d", "3d"]
    assert {"dice", "dice_ce"} <= set(rows["losses"])


def test_bad_input_is_a_sentence_and_exit_code_2(tmp_path):
    for arguments, sentence in (
        (("bench", "loses"), "unknown benchmark 'loses'; did you mean 'losses'?"),
        (("bench", "losses", "--only", "dise"), "has no row 'dise'; did you mean 'dice'?"),
        (
            ("bench", "--only", "dice"),
            "--only picks rows of one benchmark; name it: data, distance_maps,",
        ),
    ):
        done = lossbench(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert sentence in " ".join(done.stderr.split())
        assert "Traceback" not in done.stderr
