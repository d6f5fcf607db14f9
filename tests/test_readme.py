"""What the README shows has to work."""

import re
from pathlib import Path
from typing import Unpack

import torch
from torch import Tensor
from typer.main import get_command

from harness.cli.main import app
from harness.data.description import DatasetDescription
from harness.losses.base import positive
from harness.losses.batch import Region
from harness.losses.region import RegionLoss, RegionOptions
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from harness.study.tuned_loss import tuned_losses

README = (Path(__file__).resolve().parents[1] / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_manifest_and_the_study_are_valid():
    manifest, study = blocks("yaml")
    assert validate(DatasetDescription, read(manifest, "lesions.yaml"), "lesions.yaml").ignores
    assert [entry.tuned for entry in validate(Study, read(study, "s.yaml"), "s.yaml").losses].count(True) == 1


def test_the_loss_to_add_is_a_loss():
    names = {
        "register": lambda cls: cls,  # the registry stays as it is
        "RegionLoss": RegionLoss,
        "RegionOptions": RegionOptions,
        "Region": Region,
        "Tensor": Tensor,
        "Unpack": Unpack,
        "positive": positive,
    }
    exec(blocks("python")[0], names)
    loss = names["NoiseRobustDice"]()
    p1 = torch.tensor([[[0.9, 0.7], [0.4, 0.1]]])
    logits = torch.stack([1 - p1, p1], dim=1).log()
    labels = torch.tensor([[[1, 1], [0, 1]]])
    assert abs(float(loss(logits, labels)) - 0.291439) < 2e-6  # worked by hand for the README


def test_every_command_that_is_named_exists():
    commands = get_command(app)
    for line in re.findall(r"lossbench ((?:[a-z][a-z-]* ?)+)", README):
        first, *rest = line.split()
        if first in {"losses", "is", "trains", "turns"}:
            continue
        assert first in commands.commands, line
        inner = getattr(commands.commands[first], "commands", None)
        if inner and rest:
            assert rest[0] in inner, line


def test_the_study_tunes_two_losses_beside_their_defaults_and_one_alone():
    _, study = blocks("yaml")
    tuned = tuned_losses(validate(Study, read(study, "s.yaml"), "s.yaml"))
    assert [(each.label, each.default) for each in tuned] == [
        ("CE (tuned)", "CE"),
        ("GDL + BL (tuned)", "GDL + BL"),
        ("Dice + BL", None),
    ]
