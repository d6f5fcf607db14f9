"""The guide to data names everything that is registered."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.main import app
from harness.data.augment import AUGMENTATIONS
from harness.data.description import DatasetDescription, FilePatterns
from harness.data.findings import CHECKS
from harness.data.layouts import LAYOUTS
from harness.data.simulate import SIMULATORS
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from harness.study.tuned_loss import tuned_losses
from harness.study.tuning_spec import Tuning
from harness.tuning.pruners import PRUNERS
from harness.tuning.samplers import SAMPLERS

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDE = (DOCS / "data.md").read_text(encoding="utf-8")
SIMULATED = (DOCS / "simulated-data.md").read_text(encoding="utf-8")
TUNING = (DOCS / "tuning.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_every_check_is_in_the_guide_with_its_severity(name: str) -> None:
    assert f"| `{name}` | {CHECKS[name].severity} | {CHECKS[name].looks_for} |" in GUIDE


@pytest.mark.parametrize("name", sorted([*AUGMENTATIONS, *LAYOUTS]))
def test_every_augmentation_and_layout_is_in_the_guide(name: str) -> None:
    assert re.search(rf"\b{name}\b", GUIDE)


@pytest.mark.parametrize("name", sorted(SIMULATORS))
def test_every_simulator_is_documented_with_a_picture(name: str) -> None:
    assert f"lossbench data simulate {name}" in SIMULATED
    assert f"images/simulated-{name}.png" in SIMULATED
    assert (DOCS / "images" / f"simulated-{name}.png").is_file()


def test_the_manifest_of_the_guide_is_valid_and_shows_every_key() -> None:
    (manifest,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    validate(DatasetDescription, read(manifest, "guide.yaml"), "guide.yaml")
    for key in (*DatasetDescription.model_fields, *FilePatterns.model_fields):
        assert re.search(rf"^\s*(# )?{key}:", manifest, re.MULTILINE), key


def test_every_data_command_is_in_the_guide() -> None:
    for name in get_command(app).commands["data"].commands:  # type: ignore[attr-defined]
        assert f"lossbench data {name}" in GUIDE


def test_the_guide_to_tuning_names_every_key_with_its_default_and_every_choice() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", TUNING, re.MULTILINE))
    defaults = Tuning()
    assert set(Tuning.model_fields) <= set(rows)
    for key in ("configurations", "inner_seeds", "seed", "metric"):
        assert rows[key].strip("`") == str(getattr(defaults, key))
    assert rows["alpha"] == f"`[{', '.join(defaults.alpha)}]`"
    for name in (*SAMPLERS, *PRUNERS):
        assert f"`{name}`" in TUNING, name


def test_the_studies_of_the_guide_to_tuning_are_valid() -> None:
    study, spaces, transfer = re.findall(r"```yaml\n(.*?)```", TUNING, re.DOTALL)
    losses, tuning = study.index("losses:"), study.index("tuning:")
    assert len(tuned_losses(_study(study))) == 3
    narrowed = {each.label: each.space for each in tuned_losses(_study(study[:tuning] + spaces))}
    names = [each.name for each in narrowed["Dice + focal (tuned)"].dimensions]
    assert names == ["learning_rate", "dice.eps", "focal.gamma", "focal.weight"]
    taken = _study(study[:losses] + transfer).losses[0].transfer
    assert taken is not None
    assert taken.from_study == "tune_demo"


def _study(text: str) -> Study:
    return validate(Study, read(text, "guide.yaml"), "guide.yaml")


def test_every_guide_is_linked_from_the_readme() -> None:
    readme = (DOCS.parent / "README.md").read_text(encoding="utf-8")
    for guide in ("tuning.md", "running.md", "losses.md", "data.md"):
        assert f"(docs/{guide})" in readme
