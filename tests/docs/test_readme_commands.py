"""Every command of the README runs: those of its console blocks in order, those of its table one by one."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.main import app
from tests.conftest import lossbench
from tests.docs.console import File, commands, steps
from tests.docs.miniatures import make_folder
from tests.docs.reader import ROOT, Reader, sets

pytestmark = pytest.mark.timeout(600)  # one test of seconds, and a fixture that trains

PAGE = (ROOT / "README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)


SHORT = (
    "--local",
    *sets("protocol.epochs=1", "seeds=2", "model={name: unet2d, base_channels: 2, depth: 1}"),
)
TWO_LOSSES = sets("losses=[{label: CE, loss: ce}, {label: Dice + CE, loss: dice + ce}]", "contrasts=[]")
HIPPOCAMPUS = sets("datasets.0.size=[16, 16]", "datasets.0.split={kind: holdout, test: 5, validation: 2}")
LESIONS = sets("datasets.0.size=[16, 16]", "datasets.0.split={kind: holdout, test: 5, validation: 2}")
SHORTER = {
    "lossbench run hippocampus --data FOLDER": (*SHORT, *HIPPOCAMPUS, *TWO_LOSSES),
    "lossbench run ms_lesions --data FOLDER": (*SHORT, *LESIONS, *TWO_LOSSES),
    "lossbench run all_losses --data FOLDER": (*SHORT, *HIPPOCAMPUS, *TWO_LOSSES, *sets("seeds=1")),
    "lossbench run hippocampus_full --data FOLDER": (*SHORT, *HIPPOCAMPUS, *sets("seeds=1")),
    "lossbench report hippocampus": ("--only", "T1"),
    "lossbench run vessels --data FOLDER": (
        *SHORT,
        *sets("datasets.0={dataset: chase_db1, size: [16, 16]}"),
        *sets("datasets.0.split={kind: holdout, test: 5, validation: 2}"),
        *TWO_LOSSES,
    ),
    "lossbench run small_data --data FOLDER": (
        *(*SHORT, *LESIONS, *TWO_LOSSES),
        *sets("datasets.1.size=[16, 16]", "datasets.1.split={kind: holdout, test: 5, validation: 2}"),
    ),
    "lossbench run which_loss.yaml --data FOLDER": (
        *SHORT,
        *sets("datasets.0={dataset: lesions.yaml, size: [16, 16]}"),
        *sets("datasets.0.split={kind: holdout, test: 5, validation: 2}"),
        *sets("tuning={losses: [CE], configurations: 1}"),
    ),
    "lossbench report which_loss.yaml": ("--only", "T1"),
}
ONLY_SHOWN = {
    "make quickstart": ("lossbench run quickstart", "lossbench report quickstart"),
    "make test": ("pytest -n", 'not full"'),
    "make docs": ("harness.cli.reference_docs docs", "mkdocs build --strict"),
}
"""Targets that ``make -n`` shows and nothing runs, with what they call: they install packages and train for
minutes, or run this very test. What the first one calls is run by the full test below, what the last one
calls by the tests of the site and of the generated pages."""


def test_every_command_of_the_readme_runs_in_order(tmp_path: Path) -> None:
    reader = Reader(tmp_path, SHORTER, {"FOLDER": str(make_folder(tmp_path / "data"))})
    for step in steps(PAGE):
        if isinstance(step, File):
            (tmp_path / step.name).write_text(step.text)
            continue
        done = reader.type(step.line)
        assert done.returncode == 0, f"{step.line}\n{done.stdout}\n{done.stderr}"
        for called in ONLY_SHOWN.get(step.line, ()):
            assert called in done.stdout


def test_only_make_targets_are_shown_instead_of_run() -> None:
    assert {line for line in commands(PAGE) if line.startswith("make ")} == set(ONLY_SHOWN)


def test_what_is_made_shorter_stands_in_the_readme() -> None:
    assert set(SHORTER) <= set(commands(PAGE))


@pytest.mark.full
@pytest.mark.timeout(3000)
def test_the_quick_start_runs_as_it_is(tmp_path: Path) -> None:
    for line in ONLY_SHOWN["make quickstart"]:
        done = Reader(tmp_path, patient=True).type(line)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "lossbench-home" / "reports" / "quickstart" / "report.html").is_file()


def told(line: str) -> tuple[str, ...]:
    """Return the words of a command; bars part those that hold spaces."""
    return tuple(line.split("|")) if "|" in line else tuple(line.split())


TABLE = {
    "lossbench studies": told("studies"),
    "losses": told("losses"),
    "datasets": told("datasets"),
    "lossbench plan STUDY": told("plan tiny.yaml --data data"),
    "lossbench run STUDY": told("run tiny.yaml --data data --local"),
    "lossbench answer STUDY": told("answer tiny"),
    "answer --csv FILE": told("answer --csv scores.csv"),
    "lossbench plan STUDY --power": told("plan tiny.yaml --data data --power"),
    "lossbench run STUDY --until-decided": told("run tiny.yaml --data data --local --until-decided"),
    "lossbench error-rates": told("error-rates --check pair --studies 10"),
    "lossbench tune STUDY": (
        *told("tune tiny.yaml --data data --local"),
        *sets("study=tuned", "tuning={losses: [CE], configurations: 1}"),
    ),
    "lossbench status [STUDY] --watch": told("status other --watch"),
    "lossbench logs TRIAL --follow": told("logs TRIAL --follow"),
    "lossbench doctor": told("doctor"),
    "lossbench report STUDY": told("report tiny --only T1"),
    "lossbench report A B": told("report tiny other --only TC2"),
    "lossbench watch STUDY": told("watch tiny --once"),
    "lossbench gallery FOLDER": told("gallery lossbench-home/reports"),
    "lossbench published": told("published"),
    "lossbench score --pred FOLDER --truth FOLDER": told(
        "score --pred data/Task04_Hippocampus/labelsTr --truth data/Task04_Hippocampus/labelsTr"
    ),
    "lossbench evaluate STUDY": told("evaluate tiny"),
    "lossbench predict TRIAL --images FOLDER --out FOLDER": told(
        "predict TRIAL --images data/my_lesions --out masks"
    ),
    "lossbench data init FOLDER": told("data init data/my_lesions"),
    "lossbench data check DATASET": told("data check lesions.yaml --data data"),
    "lossbench data show DATASET --out FILE": told("data show lesions.yaml --data data --out sheet.png"),
    "lossbench data prepare DATASET": told("data prepare lesions.yaml --data data"),
    "lossbench data simulate wmh2017 --out FOLDER": told(
        "data simulate wmh2017 --out simulated/wmh2017 --cases 1 --inplane-mm 4 --workers 1"
    ),
    "lossbench data targets wmh2017 FOLDER": told("data targets wmh2017 simulated/wmh2017 --workers 1"),
    'lossbench db query "select ..."': told("db|query|select loss, seed from v_trial"),
    "lossbench db trace TRIAL": told("db trace TRIAL"),
    "db rerun TRIAL": told("db rerun TRIAL --out again.yaml"),
    "lossbench db merge OTHER": told("db merge copy.db"),
    "db export": told("db export tables --study tiny"),
    "db import": told("db import tables"),
    "lossbench db info": told("db info"),
    "check": told("db check"),
    "backup": told("db backup second.db"),
    "upgrade": told("db upgrade"),
    "vacuum": told("db vacuum"),
    "delete": told("db delete other --yes"),
    "lossbench bench": told("bench losses --only ce --rounds 1"),
    # outside the table
    "lossbench losses boundary": told("losses boundary"),
    "lossbench losses --anatomy FILE": told(
        "losses --anatomy anatomy.png --dataset msd_hippocampus --data data --steps 1"
    ),
    "lossbench run quickstart --set protocol.epochs=20 --set seeds=5": told(
        "run quickstart --set protocol.epochs=20 --set seeds=5 --dry-run"
    ),
    "lossbench losses": told("losses"),
    "lossbench answer": told("answer tiny --json"),
    "lossbench answer --csv scores.csv": told("answer --csv scores.csv"),
    "lossbench score": told(
        "score --pred data/Task04_Hippocampus/labelsTr --truth data/Task04_Hippocampus/labelsTr --metrics dsc"
    ),
}
"""What the README names in a sentence or a table, and how a test calls it. Options that shorten a command are
the test's. The order matters: some make what others read."""


def test_every_command_that_the_readme_names_is_run() -> None:
    rows = re.findall(r"^\| (`.*?) \|", PROSE, re.MULTILINE)
    named = {code for row in rows for code in re.findall(r"`([^`]+)`", row)}
    named |= {code for code in re.findall(r"`([^`\n]+)`", PROSE) if code.startswith("lossbench ")}
    assert named - set(TABLE) == set(), "a command that no test runs: say in TABLE how"
    assert set(TABLE) - named == set(), "a command that the README does not name any more"


@pytest.mark.parametrize("name", TABLE)
def test_a_command_of_the_prose_is_understood(name: str) -> None:
    """Names, arguments and options exist; what they do takes longer, and each is tested in its room, too."""
    command = get_command(app)
    words = list(TABLE[name])
    while hasattr(command, "commands"):
        command = command.commands[words.pop(0)]
    command.make_context("lossbench", words)


@pytest.mark.full
def test_every_command_of_the_prose_runs(tmp_path: Path) -> None:
    trial = _finish_two_studies(tmp_path)
    for name, arguments in TABLE.items():
        words = [trial if word == "TRIAL" else word for word in arguments]
        done = lossbench(*words, cwd=tmp_path)
        assert done.returncode == 0, f"{name}: {words}\n{done.stdout}\n{done.stderr}"
        assert done.stdout.strip(), f"{name} says nothing"


def _finish_two_studies(folder: Path) -> str:
    """Fill a folder with data and two studies of the same trials, ``tiny`` and ``other``; return a key."""
    make_folder(folder / "data")
    manifest = next(
        step.text for step in steps(PAGE) if isinstance(step, File) and step.name == "lesions.yaml"
    )
    manifest = manifest.replace("[256, 256]", "[16, 16]").replace(
        "test: 0.2, validation: 0.15", "test: 5, validation: 2"
    )
    (folder / "lesions.yaml").write_text(manifest)
    (folder / "tiny.yaml").write_text(
        "study: tiny\ndatasets: [lesions.yaml]\nseeds: 2\nprotocol: {epochs: 1}\n"
        "model: {name: unet2d, base_channels: 2, depth: 1}\n"
        "losses: [{label: CE, loss: ce}, {label: Dice, loss: dice}]\n"
    )
    rows = [
        f"{loss},{seed},p{case},0.{case}{seed}" for loss in "ab" for seed in range(2) for case in range(1, 7)
    ]
    (folder / "scores.csv").write_text("\n".join(["loss,seed,case,value", *rows]))
    for study in ("tiny", "other"):
        run = ("run", "tiny.yaml", "--data", "data", "--local", "--set", f"study={study}")
        done = lossbench(*run, cwd=folder)
        assert done.returncode == 0, done.stderr
    assert lossbench("db", "backup", "copy.db", cwd=folder).returncode == 0
    keys = lossbench("db", "query", "select trial from v_trial", "--format", "csv", cwd=folder).stdout.split()
    return keys[1]
