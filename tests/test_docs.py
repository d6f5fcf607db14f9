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

DOCS = Path(__file__).resolve().parents[1] / "docs"
GUIDE = (DOCS / "data.md").read_text(encoding="utf-8")
SIMULATED = (DOCS / "simulated-data.md").read_text(encoding="utf-8")


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
