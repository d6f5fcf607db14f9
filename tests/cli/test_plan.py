"""``lossbench plan``: what is left to train, and what it will cost."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scipy import stats
from typer.testing import CliRunner

from harness.cli.forecast import Forecast, probing_seconds, sentences, span
from harness.cli.main import app
from harness.errors import InputError
from harness.store import frames
from harness.store.database import file_url, open_database
from harness.training import probe
from tests.conftest import STUDY, lossbench

GIB = 2**30
KNOWN = Forecast(
    workers=4,
    seconds=40_000.0,
    wall_seconds=11_000.0,
    unknown=0,
    memory_bytes=6 * GIB,
    machine_bytes=16 * GIB,
    device="cpu",
)


def plan(folder: Path, data: Path, *options: str) -> str:
    """Return what ``plan`` prints, in this process."""
    where = ("--data", str(data), "--home", str(folder / "lossbench-home"))
    done = CliRunner().invoke(app, ["plan", str(folder / "tiny.yaml"), *where, *options])
    if done.exception is not None:
        raise done.exception
    return done.stdout


def planned(folder: Path, data: Path, *options: str) -> dict[str, Any]:
    """Return what ``plan --json`` prints."""
    found: dict[str, Any] = json.loads(plan(folder, data, "--json", *options))
    return found


@pytest.fixture(scope="module")
def finished(discs_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the tiny study has been run."""
    folder = tmp_path_factory.mktemp("finished")
    (folder / "tiny.yaml").write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    done = lossbench("run", "tiny.yaml", "--data", discs_data, "--local", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_a_study_that_was_never_timed_says_so_and_names_the_remedy(
    study_file: Path, discs_data: Path
) -> None:
    told = plan(study_file.parent, discs_data)
    assert "no times of their own yet: 2 cells; --probe measures them in about" in told
    assert "to train" not in told
    found = planned(study_file.parent, discs_data)
    assert [(cell["hours"], cell["GiB"], cell["from"]) for cell in found["cells"]] == [(None, None, "")] * 2
    assert found["cost"]["hours on one worker"] is None
    assert found["cost"]["cells without times"] == 2


def test_a_probe_measures_every_loss_and_leaves_no_results(
    study_file: Path, discs_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.1)
    found = planned(study_file.parent, discs_data, "--probe", "--workers", "2")
    assert [cell["from"] for cell in found["cells"]] == ["probe", "probe"]
    assert all(cell["GiB"] > 0.01 for cell in found["cells"])
    cost = found["cost"]
    assert cost["workers"] == 2
    assert cost["cells without times"] == 0
    assert cost["GiB together"] == pytest.approx(sum(cell["GiB"] for cell in found["cells"]), abs=0.02)
    assert not (study_file.parent / "lossbench-home" / "artifacts").exists()
    assert not (study_file.parent / "lossbench-home" / "results.db").exists()


def test_earlier_trials_tell_the_cost_of_longer_ones(finished: Path, discs_data: Path) -> None:
    found = planned(finished, discs_data, "--set", "protocol.epochs=4000")
    assert [cell["from"] for cell in found["cells"]] == ["same loss (2)", "same loss (2)"]
    assert all(cell["hours"] > 0 for cell in found["cells"])
    total = sum(cell["hours"] for cell in found["cells"])
    assert found["cost"]["hours on one worker"] == pytest.approx(total, abs=0.02)
    one = planned(finished, discs_data, "--set", "protocol.epochs=4000", "--workers", "1")["cost"]
    assert one["hours on all workers"] == one["hours on one worker"]


def test_a_new_loss_takes_the_times_of_the_others(finished: Path, discs_data: Path) -> None:
    losses = "losses=[{label: CE, loss: ce}, {label: Dice, loss: dice}]"
    found = planned(finished, discs_data, "--set", losses)
    assert [cell["from"] for cell in found["cells"]] == ["", "same dataset and model (4)"]
    told = plan(finished, discs_data, "--set", losses)
    assert "to train: " in told
    assert "no times of their own yet: 1 cell; --probe measures them" in told


def test_times_of_another_batch_size_are_not_taken(finished: Path, discs_data: Path) -> None:
    found = planned(finished, discs_data, "--set", "protocol.batch_size=2")
    assert [cell["hours"] for cell in found["cells"]] == [None, None]


def test_a_tuned_loss_costs_its_configurations_too(finished: Path, discs_data: Path) -> None:
    losses = "losses=[{label: tuned, loss: gdl + boundary, alpha: tune}]"
    options = ("--set", losses, "--set", "tuning.configurations=3", "--set", "protocol.epochs=4000")
    [cell] = planned(finished, discs_data, *options)["cells"]
    assert (cell["to run"], cell["note"]) == (2, "after tuning 3 configurations")
    assert cell["from"] == "same loss (2)"  # alpha costs nothing
    [fixed] = planned(finished, discs_data, "--set", losses.replace("tune}", "{schedule: constant}}"),
                      "--set", "protocol.epochs=4000")["cells"]  # fmt: skip
    assert cell["hours"] == pytest.approx(fixed["hours"] * 5 / 2, abs=0.05)


def test_nothing_left_costs_nothing(finished: Path, discs_data: Path) -> None:
    found = planned(finished, discs_data)
    assert [cell["hours"] for cell in found["cells"]] == [0.0, 0.0]
    assert found["cost"]["hours on all workers"] == 0.0


def test_a_pilot_tells_what_the_study_can_find(finished: Path, discs_data: Path) -> None:
    told = plan(finished, discs_data, "--power", "--patients", "50", "--set", "seeds=5")
    assert "50 test patients, 5 seeds, 2 losses; variances from 2 seeds of 2 losses on" in told
    assert "no test score was read" in told
    assert "smallest difference found 80 times in 100: " in told
    assert "to find the margin: " in told
    assert "best so far" in told
    [found] = planned(finished, discs_data, "--power", "--patients", "50")["power"]
    assert found["pilot"]["part"] == "validation"
    assert (found["design"]["patients"], found["design"]["margin"]) == (50, 0.01)
    assert len(found["leading pairs"]) == 4
    assert found["hours of one seed of every loss"] > 0
    own = planned(finished, discs_data, "--power")["power"][0]["design"]
    assert own["patients"] == 2  # those that the split tests


def test_planning_reads_no_test_score(
    finished: Path, discs_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts, read = [], frames.scores

    def watched(*arguments: Any, **options: Any) -> Any:
        parts.append(options.get("part"))
        return read(*arguments, **options)

    monkeypatch.setattr(frames, "scores", watched)
    planned(finished, discs_data, "--power")
    assert parts == ["validation"]
    database = open_database(file_url(finished / "lossbench-home" / "results.db"))
    assert frames.looks(database, "tiny").empty
    database.close()


def test_the_ordinary_plan_tells_the_smallest_difference_in_a_line(finished: Path, discs_data: Path) -> None:
    told = plan(finished, discs_data, "--set", "seeds=4")
    assert "discs: 4 seeds on 2 test patients find differences of dsc of " in told
    assert "the margin is 0.01" in told
    assert planned(finished, discs_data)["detectable"]["discs"]["typical"] > 0


def test_distances_are_planned_in_per_cent(finished: Path, discs_data: Path) -> None:
    told = plan(finished, discs_data, "--power", "--metric", "hd95")
    assert "the margin is 10 %" in told
    [found] = planned(finished, discs_data, "--power", "--metric", "hd95")["power"]
    assert found["scale"] == {"direction": "lower", "log": True, "eps": 0.5}


def test_stated_variances_plan_a_study_before_any_pilot(study_file: Path, discs_data: Path) -> None:
    options = ("--power", "--sd", "case=.05,seed=.01,residual=.03", "--patients", "50")
    told = plan(study_file.parent, discs_data, *options, "--set", "seeds=5", "--patient-hours", "1")
    assert "50 test patients, 5 seeds, 2 losses; variances as stated" in told
    assert "impossible with these patients, even with 200 seeds" in told  # 2.8 x .05 / sqrt(50) is above .01
    [found] = planned(study_file.parent, discs_data, *options)["power"]
    assert found["pilot"] is None
    floor = (stats.t.ppf(0.975, 49) + stats.t.ppf(0.8, 49)) * 0.05 / 50**0.5
    assert found["typical pair"]["floor_seeds"] == pytest.approx(floor)
    assert len(found["grid"]) > 100


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--power",), "nothing of it was trained yet; train two seeds of two losses as a pilot, or state"),
        (("--power", "--sd", "case=.05,sed=.01"), "unknown part 'sed'; did you mean 'seed'"),
        (("--power", "--sd", "case=.05,seed=.01"), "--sd lacks residual"),
        (("--power", "--sd", "case=x,seed=.01,residual=.03"), "case must be a number"),
        (("--power", "--metric", "dcs"), "unknown metric 'dcs'"),
        (("--patients", "50"), "--patients belongs to --power"),
    ],
)
def test_power_says_what_it_lacks(
    study_file: Path, discs_data: Path, options: tuple[str, ...], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        plan(study_file.parent, discs_data, *options)


def test_an_unknown_device_is_bad_input(study_file: Path, discs_data: Path) -> None:
    with pytest.raises(InputError, match="unknown device 'tpu'"):
        plan(study_file.parent, discs_data, "--device", "tpu")


def test_the_sentence_gives_the_time_on_all_workers_first() -> None:
    assert list(sentences(KNOWN, 0)) == [
        "to train: 3.1 h on 4 workers (11.1 h on one); 6.0 of 16.0 GiB of memory"
    ]
    assert list(sentences(replace(KNOWN, workers=1, unknown=1, memory_bytes=None), 1)) == [
        "to train: at least 3.1 h on 1 worker",
        f"no times of their own yet: 1 cell; --probe measures them in about {span(probing_seconds(1))}",
    ]


def test_trials_that_do_not_fit_side_by_side_are_warned_about() -> None:
    assert list(KNOWN.warnings()) == []
    [sentence] = replace(KNOWN, memory_bytes=24 * GIB).warnings()
    assert sentence == (
        "4 trials at a time need about 24.0 GiB of memory, this machine has 16.0: give --workers 2"
    )
    [alone] = replace(KNOWN, workers=1, memory_bytes=24 * GIB, device="cuda").warnings()
    assert alone.endswith("the GPU has 16.0: set a smaller protocol.batch_size or model.base_channels")
