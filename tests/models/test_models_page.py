"""The page about networks shows what is registered, with its true numbers."""

import inspect
import re
from pathlib import Path

import pytest
import torch
import yaml

from harness.models import MODELS, build_model
from harness.models.deep_supervision import supervised_levels
from harness.study.spec import ModelEntry
from tests.models.networks import parameter_count

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
COUNTS = re.findall(r"^\| `(\{.*?\})` \| ([\d,]+) \|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("name", MODELS)
def test_every_network_and_option_is_on_the_page(name: str) -> None:
    section = PAGE.split(f"## `{name}`")[1].split("\n## ")[0]
    options = set(inspect.signature(MODELS[name]).parameters) - {"in_channels", "n_classes"}
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == options


@pytest.mark.parametrize(("entry", "count"), COUNTS)
def test_parameters_on_the_page_are_those_of_the_network(entry: str, count: str) -> None:
    options = yaml.safe_load(entry)
    name = options.pop("name")
    assert f"{parameter_count(build_model(name, 1, 2, **options)):,}" == count


def test_every_network_has_a_row_of_parameters() -> None:
    assert {yaml.safe_load(entry)["name"] for entry, _ in COUNTS} == set(MODELS)


def test_the_number_of_outputs_on_the_page_is_right() -> None:
    assert "1 + max(1, depth - 2) outputs" in PAGE
    for depth in range(2, 8):
        assert len(supervised_levels(depth)) == max(1, depth - 2)


def test_the_example_of_a_default_is_the_default() -> None:
    (first, *_) = re.findall(r"^model: (\{.*?\})", PAGE, re.MULTILINE)
    assert ModelEntry.model_validate(yaml.safe_load(first)).canonical() == ModelEntry().canonical()


def test_the_network_of_the_page_trains_as_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = re.findall(r"```python\n# my_package/my_module.py\n(.*?)```", PAGE, re.DOTALL)
    (written,) = re.findall(r'^model: (\{name: "my_package.*\})', PAGE, re.MULTILINE)
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "my_module.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    entry = ModelEntry.model_validate(yaml.safe_load(written))
    assert entry.options == {"channels": 32}
    model = build_model(entry.name, 2, 3, **entry.options)
    assert model(torch.randn(2, 2, 9, 7)).shape == (2, 3, 9, 7)
