"""Losses of other people: by import path and by entry point."""

import textwrap
from importlib.metadata import EntryPoint

import pytest
import torch

from harness.errors import InputError
from harness.losses import LOSSES, load_entry_points, parse_loss, plugins

SOURCE = """
    import torch
    from torch import nn
    from harness.losses import Loss, Real
    from harness.losses.region import RegionLoss, RegionOptions
    from typing import Unpack

    class NoiseRobustDice(RegionLoss):
        '''sum |p - t|^g / (sum p^2 + sum t^2 + eps).'''

        name = "noise_robust_dice"
        reference = "Wang et al., IEEE TMI 2020"

        def __init__(self, *, g: float = 1.5, **options: Unpack[RegionOptions]) -> None:
            super().__init__(**options)
            self.g = g

        def per_class(self, region):
            difference = region.sum((region.p - region.t).abs() ** self.g)
            return difference / (region.sum(region.p**2) + region.sum(region.t**2) + self.eps)

    class Foreign(nn.Module):
        name, family, needs, reference = "foreign", "lesion", frozenset(), "nobody"

        def __init__(self, scale, offset=0):
            super().__init__()
            self.scale, self.offset = scale, offset

        def forward(self, logits, labels):
            return self.scale * logits.mean() + self.offset

    class Nameless(nn.Module):
        family = "region"

    class BadFamily(Foreign):
        family = "other"

    class BadNeed(Foreign):
        needs = frozenset({"masks"})

    class BadSpace(Foreign):
        spaces = {"scal": Real(0.1, 1.0)}

    class NoSpace(Foreign):
        spaces = {"scale": (0.1, 1.0)}

    def function(logits, labels):
        return 0
"""


@pytest.fixture(autouse=True)
def their_package(tmp_path, monkeypatch):
    (tmp_path / "their_losses.py").write_text(textwrap.dedent(SOURCE))
    (tmp_path / "broken_losses.py").write_text("1 / 0")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.fixture
def announce(monkeypatch):
    """A function that pretends installed packages announce name=value entry points."""
    monkeypatch.setattr(LOSSES, "_entries", dict(LOSSES._entries))

    def pretend(**entries):
        announced = [EntryPoint(name, value, plugins.GROUP) for name, value in entries.items()]
        monkeypatch.setattr(
            plugins, "entry_points", lambda group: announced if group == plugins.GROUP else []
        )

    return pretend


def test_import_path_with_parameters_of_the_class_and_its_base(example):
    spec = parse_loss({"name": "their_losses:NoiseRobustDice", "g": 2, "reduce": "sample"})
    assert spec.terms[0].parameters == {
        "g": 2.0,
        "reduce": "sample",
        "include_background": False,
        "absent": "ignore",
        "eps": 1e-5,
    }
    assert spec.expression == "their_losses:NoiseRobustDice(g=2, reduce=sample)"
    assert spec.family == "region"
    value = parse_loss("their_losses:NoiseRobustDice").build(ignore_label=255)(*example("E2"))
    assert value.item() == pytest.approx(0.291439, abs=2e-6)


def test_any_module_with_the_attributes_joins_a_sum():
    spec = parse_loss(["dice", {"name": "their_losses:Foreign", "scale": 3}], {"schedule": "constant"})
    assert spec.terms[spec.on].name == "their_losses:Foreign"
    assert spec.terms[spec.on].parameters == {"scale": 3, "offset": 0}
    loss = spec.build()
    logits, labels = torch.randn(1, 2, 4, 4), torch.zeros(1, 4, 4, dtype=torch.long)
    torch.testing.assert_close(loss(logits, labels), 0.01 * 3 * logits.mean())


def test_entry_point_is_loaded_when_asked_for(announce, example):
    announce(robust="their_losses:NoiseRobustDice", unrelated="broken_losses:Nothing")
    assert "robust" not in LOSSES
    spec = parse_loss("robust + ce")
    assert spec.expression == "robust + ce"
    assert "robust" in LOSSES
    assert parse_loss("their_losses:NoiseRobustDice + ce") == spec
    assert torch.isfinite(spec.build()(*example("E2")))


def test_listing_loads_every_entry_point_and_reports_the_broken(announce, caplog):
    announce(robust="their_losses:NoiseRobustDice", broken="broken_losses:Nothing", dice="broken_losses:No")
    load_entry_points()
    assert "robust" in LOSSES
    assert "broken" not in LOSSES
    assert "ZeroDivisionError" in caplog.text


def test_unknown_name_knows_the_announced(announce):
    announce(robust="their_losses:NoiseRobustDice")
    with pytest.raises(InputError, match="unknown loss 'robustt'; did you mean 'robust'"):
        parse_loss("robustt")


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ("no_such_module:Loss", "cannot import 'no_such_module': ModuleNotFoundError"),
        ("broken_losses:Loss", "cannot import 'broken_losses': ZeroDivisionError: division by zero"),
        ("their_losses:NoiseRobust", "has no 'NoiseRobust'; did you mean 'NoiseRobustDice'?"),
        ("their_losses:function", "must be a subclass of torch.nn.Module"),
        ("their_losses:Nameless", "the class has no attribute 'name', 'needs', 'reference'"),
        ("their_losses:BadFamily", "family must be one of distribution, region, .* \\(got 'other'\\)"),
        ("their_losses:BadNeed", "needs must be among .* \\(got 'masks'\\)"),
        ("their_losses:BadSpace", "spaces has 'scal', which is no parameter .*; did you mean 'scale'?"),
        ("their_losses:NoSpace", "spaces must map names of parameters to Real, Whole or Choice"),
        ("their_losses:Foreign", "scale: required key is missing"),
    ],
)
def test_mistakes_in_an_import_path_are_named(form, message):
    with pytest.raises(InputError, match=message):
        parse_loss(form)


def test_a_loss_that_cannot_ignore_says_so():
    spec = parse_loss({"name": "their_losses:Foreign", "scale": 1})
    with pytest.raises(InputError, match="unexpected keyword argument 'ignore_label'"):
        spec.build(ignore_label=255)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("broken_losses:Loss", "cannot be loaded: ZeroDivisionError"),
        ("their_losses:Foreign", "must be a subclass of harness.losses.Loss"),
    ],
)
def test_mistakes_in_an_entry_point_are_named(announce, value, message):
    announce(theirs=value)
    with pytest.raises(InputError, match=message):
        parse_loss("theirs")
