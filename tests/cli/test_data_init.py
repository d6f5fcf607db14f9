"""``lossbench data init`` as a user meets it."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from harness.cli.data_init import init
from harness.data.description import describe
from harness.errors import InputError
from tests.data.manifest.trees import blob, nifti, noise

app = typer.Typer()
app.command()(init)


@pytest.fixture
def lesions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder ``my data/lesions`` with four patients; the current folder is beside it."""
    root = tmp_path / "my data" / "lesions"
    for at in range(4):
        nifti(root / f"p{at}" / "flair.nii.gz", noise((20, 24, 3), seed=at))
        nifti(root / f"p{at}" / "label.nii.gz", blob((20, 24, 3)))
    monkeypatch.chdir(tmp_path)
    return root


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if result.exception:
        raise result.exception
    return result.output


def test_writes_beside_the_user_and_says_what_is_next(lesions, tmp_path):
    printed = run(lesions)
    assert "wrote lesions.yaml: 4 cases of 4 patients, layout files" in printed
    assert f"lossbench data check lesions.yaml --data '{tmp_path}/my data'" in printed
    assert describe("lesions.yaml", tmp_path).name == "lesions"


def test_an_existing_manifest_is_kept_unless_forced(lesions, tmp_path):
    (tmp_path / "lesions.yaml").write_text("mine")
    with pytest.raises(InputError, match=r"exists already; .*--force"):
        run(lesions)
    assert (tmp_path / "lesions.yaml").read_text() == "mine"
    run(lesions, "--force")
    assert describe("lesions.yaml", tmp_path).name == "lesions"


def test_name_and_place_are_chosen(lesions, tmp_path):
    (tmp_path / "out").mkdir()
    run(lesions, "--name", "ms", "--out", "out/mine.yaml")
    description = describe("out/mine.yaml", tmp_path)
    assert description.name == "ms"
    assert description.folder_in(lesions.parent) == lesions


def test_json_holds_the_proposal(lesions, tmp_path):
    told = json.loads(run(lesions, "--json"))
    assert told["patterns"] == {"channels": ["{case}/flair.nii.gz"], "label": ["{case}/label.nii.gz"]}
    assert told["cases"] == ["p0", "p1", "p2", "p3"]
    assert told["patients"] == 4
    assert told["doubts"] == []


def test_doubts_are_printed(lesions):
    for case in ("p0", "p1"):
        nifti(lesions / case / "t2.nii.gz", noise((20, 24, 3)))
    run(lesions)
    assert "{case}/t2.nii.gz is left out: only 2 of 4 cases have it" in run(lesions, "--force", "--json")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--name", "a b"], "letters, digits"),
        (["--out", "mine.txt"], "ends in .yaml"),
        (["--out", "nowhere/mine.yaml"], "create it first"),
    ],
)
def test_bad_options_are_told_before_anything_is_read(lesions, arguments, sentence):
    with pytest.raises(InputError, match=sentence):
        run(lesions, *arguments)


def test_a_failed_write_leaves_nothing(lesions, tmp_path, monkeypatch):
    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="disk full"):
        run(lesions)
    assert [path.name for path in tmp_path.iterdir()] == ["my data"]


def test_a_folder_without_images_writes_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no image in"):
        run(tmp_path / "empty")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]
