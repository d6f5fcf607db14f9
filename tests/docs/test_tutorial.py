"""The tutorial: every file is saved, every command runs, in order, from an empty folder."""

import re
from pathlib import Path

import pytest

from harness.strict_yaml import read, validate
from harness.study.spec import Study
from tests.docs.console import Command, File, commands, steps
from tests.docs.reader import ROOT, Reader, sets

PAGE = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")
FEW_PATIENTS = "split: {kind: holdout, test: 5, validation: 2, train: 3}"
TINY = sets(
    *(f"datasets=[{{dataset: clinic.yaml, size: [32, 32], {FEW_PATIENTS}}}]", "seeds=2", "protocol.epochs=1"),
    *("model={name: unet2d, base_channels: 2, depth: 1}", "losses=[{label: CE, loss: ce}, {loss: dice}]"),
    "contrasts=[]",
)
SHORTER = {
    "lossbench plan clinic_study.yaml --data . --probe": (*TINY, *sets("losses=[{loss: ce}]")),
    "lossbench run clinic_study.yaml --data .": ("--local", *TINY),
    "lossbench report clinic": ("--only", "T1"),
}
TRAINED = ("run", "answer", "report", "plan", "status")
"""Commands whose output depends on what was trained; that of the others is compared with the page."""


@pytest.fixture
def reader(tmp_path: Path) -> Reader:
    return Reader(tmp_path, SHORTER)


@pytest.mark.timeout(600)
def test_every_command_of_the_tutorial_runs_in_order(reader: Reader) -> None:
    for step in steps(PAGE):
        if isinstance(step, File):
            (reader.folder / step.name).write_text(step.text)
        else:
            _follow(reader, step)
    assert (reader.folder / "lossbench-home" / "reports" / "clinic" / "tables").is_dir()


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_the_tutorial_runs_as_it_is_written(reader: Reader) -> None:
    """Whole, with Ray and the whole report: minutes of training."""
    reader.shorter, reader.patient = {}, True
    for step in steps(PAGE):
        if isinstance(step, File):
            (reader.folder / step.name).write_text(step.text)
        else:
            _follow(reader, step)
    report = reader.folder / "lossbench-home" / "reports" / "clinic"
    assert "F4" in (report / "report.html").read_text(encoding="utf-8")
    assert "Dice" in (report / "verdict.md").read_text(encoding="utf-8")


def test_what_is_made_shorter_stands_in_the_tutorial() -> None:
    assert set(SHORTER) <= set(commands(PAGE))


def test_the_study_of_the_tutorial_takes_its_losses_from_the_template() -> None:
    files = {step.name: step.text for step in steps(PAGE) if isinstance(step, File)}
    study = validate(Study, read(files["clinic_study.yaml"], "clinic_study.yaml"), "clinic_study.yaml")
    template = (ROOT / "studies" / "which_loss.yaml").read_text(encoding="utf-8")
    declared = validate(Study, read(template, "which_loss.yaml"), "which_loss.yaml")
    losses = {(entry.label, str(entry.loss)) for entry in declared.losses}
    assert {(entry.label, str(entry.loss)) for entry in study.losses} <= losses


def _follow(reader: Reader, command: Command) -> None:
    done = reader.type(command.line)
    failing = any(re.search(r"\b[1-9]\d* errors?\b", line) for line in command.output)
    assert done.returncode == (2 if failing else 0), f"{command.line}\n{done.stdout}\n{done.stderr}"
    words = command.line.split()
    if words[0] != "lossbench" or words[1] not in TRAINED:
        printed = [line.strip() for line in done.stdout.splitlines()]
        for line in command.output:
            assert line == "..." or line.strip() in printed, f"{command.line} no longer prints {line!r}"
