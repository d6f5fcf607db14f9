"""A small study whose ``tuning`` block is given as text."""

import pytest

from harness.data.splits import HoldoutSplit
from harness.errors import InputError
from harness.losses.search_space import Scalar
from harness.strict_yaml import read, validate
from harness.study.plan import StudyDataset
from harness.study.spec import Study
from harness.study.tuned_loss import SearchSpace, TunedLoss, tuned_losses

BEGIN = """\
study: demo
datasets: [msd_hippocampus]
protocol: {epochs: 20}
losses:
  - {label: CE, loss: ce}
  - {label: Dice + focal, loss: dice + focal}
  - {label: GDL + BL, loss: gdl + boundary, alpha: {schedule: rebalance, over: 1.0}}
"""
TUNE = "  - {label: found, loss: gdl + boundary, alpha: tune}\n"
DATASET = StudyDataset("demo", "f" * 64, HoldoutSplit())


def parse(tuning: str, more_losses: str = "") -> Study:
    """Return the study with a tuning block in flow style, which stands in one line."""
    text = BEGIN + more_losses + f"tuning: {{{tuning}}}\n"
    return validate(Study, read(text, "demo.yaml"), "demo.yaml")


def refused(tuning: str, more_losses: str = "") -> str:
    """Return the one message about a study that is refused."""
    with pytest.raises(InputError) as caught:
        parse(tuning, more_losses)
    (message,) = str(caught.value).splitlines()
    return message


def tuned(tuning: str, label: str, more_losses: str = "") -> TunedLoss:
    """Return one tuned loss of a study that tunes it."""
    losses = [] if label == "T" else [f"losses: ['{label.removesuffix(' (tuned)')}']"]
    (found,) = tuned_losses(parse(", ".join([*losses, tuning]), more_losses))
    assert found.label == label
    return found


def drawn(tuning: str, label: str, more_losses: str = "") -> dict[str, object]:
    """Return what is drawn from what."""
    return {each.name: each.space for each in tuned(tuning, label, more_losses).space.dimensions}


def point(space: SearchSpace, **values: Scalar) -> dict[str, Scalar]:
    """Return values of all active dimensions, the first of their ends where none is given."""
    given = {name.replace("__", "."): value for name, value in values.items()}
    found: dict[str, Scalar] = {}
    for dimension in space.active(found):
        found[dimension.name] = given.pop(dimension.name, dimension.space.ends[0])
    assert not given
    return found
