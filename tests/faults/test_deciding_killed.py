"""Kill drivers of ``run --until-decided``: decisions stay, and the end is that of an undisturbed run."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.answering.evidence import load_evidence
from harness.store.stages import StageRecord, read_stages
from tests.faults import held_losses
from tests.faults.drivers import Study, attempts, database_of, driver

STUDY = """\
study: held
datasets: [{{dataset: {manifest}, split: {{kind: kfold, k: 2}}}}]
protocol: {{epochs: 2, batch_size: 4}}
model: {{name: unet2d, base_channels: 4, depth: 2}}
losses:
  - {{label: CE, loss: "held_losses:Held"}}
  - {{label: Dice, loss: dice}}
"""
FIRST_LOOK = 12
"""Two losses, three seeds, two folds."""


def ended(folder: Path) -> tuple[list[StageRecord], str]:
    """Return the looks without their times, and the digest of all scores."""
    with database_of(folder) as database:
        stages = [replace(each, at=None) for each in read_stages(database, "held")]
        return stages, load_evidence(database, "held").digest


@pytest.mark.full
@pytest.mark.timeout(600)
@pytest.mark.parametrize("options", [["--local"], ["--workers", "2"]], ids=["local", "ray"])
@pytest.mark.parametrize("before", [1, FIRST_LOOK // 2 + 1])
def test_a_study_whose_driver_was_killed_is_decided_by_the_same_command(
    tmp_path, discs_data, monkeypatch, options, before
):
    study = Study(tmp_path / "held.yaml", discs_data, tmp_path / "gate")
    study.file.write_text(STUDY.format(manifest=discs_data / "discs.yaml"))
    monkeypatch.setenv("PYTHONPATH", str(Path(held_losses.__file__).parent), prepend=":")
    monkeypatch.setenv(held_losses.GATE, str(study.gate))
    command = study.command("--until-decided", "--max-seeds", 5, *options)
    with driver(command, tmp_path / "whole") as whole:
        code, _ = whole.end()
    assert code == 0, whole.said
    study.hold(but=before // 2)  # every second trial waits for its turn
    with driver(command, tmp_path / "killed") as killed:
        killed.wait_until_held()
        killed.kill()
    study.let_go()
    for _ in range(2):  # the second time nothing is left
        with driver(command, tmp_path / "killed") as second:
            code, out = second.end()
        assert code == 0, second.said
    assert "0 trials trained" in out
    assert ended(tmp_path / "killed") == ended(tmp_path / "whole")
    again = attempts(tmp_path / "killed")
    assert again.count(2) == (1 if options == ["--local"] else again.count(2)) >= 1
