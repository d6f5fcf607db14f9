"""Which source of a cost wins, and what is never taken for one."""

from dataclasses import replace

import pytest

from harness.data.splits import HoldoutSplit
from harness.losses import parse_loss
from harness.scheduling.costs import Cost, Costs
from harness.store.timings import Timing, time_key
from harness.strict_yaml import read, validate
from harness.study.plan import PlannedTrial, StudyDataset, plan_trial
from harness.study.spec import Study

STUDY = """\
study: demo
datasets: [msd_hippocampus]
protocol: {epochs: 10}
losses: [{label: CE, loss: ce}, {label: Dice, loss: dice}, {label: GDL, loss: gdl}]
"""
CPU = "x86_64 AVX512"


def planned(label: str = "CE", loss: str = "ce", seed: int = 0) -> PlannedTrial:
    study = validate(Study, read(STUDY, "demo.yaml"), "demo.yaml")
    dataset = StudyDataset("hippocampus", "f" * 64, HoldoutSplit(test=2, validation=2))
    return plan_trial(study, dataset, label, parse_loss(loss), seed, 0)


def timing(of: PlannedTrial, epoch_seconds: float, device: str = CPU) -> Timing:
    return Timing(time_key(of.trial.canonical()), device, epoch_seconds, 5.0, 1000, 2)


def test_earlier_trials_of_the_same_loss_come_first() -> None:
    costs = Costs([timing(planned(), 2.0), timing(planned("Dice", "dice"), 9.0)], CPU)
    assert costs.of(planned()) == Cost(2.0, 5.0, 1000, "same loss", 2)
    assert costs.seconds(planned(seed=3)) == 10 * 2.0 + 5.0
    assert costs.peak_bytes(planned()) == 1000


def test_a_loss_without_times_takes_the_median_of_the_others() -> None:
    known = [timing(planned(), 2.0), timing(planned("Dice", "dice"), 4.0)]
    costs = Costs(known, CPU)
    assert costs.of(planned("GDL", "gdl")) == Cost(3.0, 5.0, 1000, "same dataset and model", 4)


def test_a_probe_of_the_loss_is_better_than_times_of_others() -> None:
    costs = Costs([timing(planned("Dice", "dice"), 4.0)], CPU)
    costs.add_probe(planned(), Cost(1.0, 0.5, 7, "probe"))
    assert costs.seconds(planned(seed=1)) == 10.5
    assert costs.of(planned("GDL", "gdl")) == Cost(4.0, 5.0, 1000, "same dataset and model", 2)


@pytest.mark.parametrize("change", ["device", "work", "dataset"])
def test_times_of_another_device_work_or_dataset_are_not_used(change: str) -> None:
    known = timing(planned(), 2.0)
    other = (
        replace(known, device="NVIDIA H100 80GB HBM3")
        if change == "device"
        else replace(known, key=replace(known.key, **{change: "other"}))
    )
    costs = Costs([other], CPU)
    assert costs.of(planned()) is None
    assert costs.seconds(planned()) is None
    assert costs.peak_bytes(planned()) is None


def test_without_a_database_nothing_is_known() -> None:
    assert Costs.from_database(None, ["f" * 64], CPU).of(planned()) is None
