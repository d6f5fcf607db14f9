"""Samplers on an objective whose optimum is known."""

import math
import statistics

import pytest

from harness.study.spec import Study
from tests.tuning.lab import rate_of, study_of

FOCAL = [{"label": "Focal", "loss": "focal"}]
BEST_RATE, BEST_GAMMA = 3e-3, 1.5


def bowl(job, epoch: int) -> float:
    """1 at the learning rate 3e-3 and gamma 1.5, and less around it."""
    off = math.log10(rate_of(job) / BEST_RATE)
    gamma = job.loss.terms[0].parameters["gamma"] - BEST_GAMMA
    return 1 / (1 + 4 * off**2 + 0.5 * gamma**2)


def study(sampler: object, seed: int, configurations: int = 20) -> Study:
    tuning = {"losses": "all", "configurations": configurations, "sampler": sampler, "seed": seed}
    return study_of(
        study=f"{sampler}-{seed}".translate({ord(c): "-" for c in "{}: ',"}),
        losses=FOCAL,
        protocol={"epochs": 1},
        tuning=tuning,
    )


def regrets(new_lab, sampler, seeds):
    lab = new_lab(bowl)
    found = []
    for seed in seeds:
        one = study(sampler, seed)
        lab.run(one, winners=False)
        found.append(1 - lab.history(one, "Focal (tuned)").best.value)
    return found


@pytest.mark.full
@pytest.mark.parametrize("sampler", ["tpe", "cmaes"])
def test_guided_samplers_find_a_known_optimum_better_than_random_search(new_lab, sampler):
    guided, drawn = (regrets(new_lab, each, range(20)) for each in (sampler, "random"))
    assert statistics.mean(guided) < 0.75 * statistics.mean(drawn)
    assert sum(ours < theirs for ours, theirs in zip(guided, drawn, strict=True)) >= 12


def test_a_guided_sampler_finds_a_known_optimum_better_than_random_search(new_lab):
    guided, drawn = (regrets(new_lab, each, range(3)) for each in ("tpe", "random"))
    assert statistics.mean(guided) < statistics.mean(drawn)


def test_a_guided_sampler_that_is_taken_over_does_not_repeat_itself(new_lab):
    lab = new_lab(bowl)
    for configurations in (3, 6, 9):
        lab.run(study("tpe", 0, configurations), winners=False)
    tried = lab.history(study("tpe", 0), "Focal (tuned)").tried
    assert len({each.parameters["focal.gamma"] for each in tried}) == 9


def test_cmaes_draws_at_random_where_a_loss_has_the_learning_rate_alone(new_lab):
    lab = new_lab(lambda job, epoch: 0.5)
    one = study_of(tuning={"losses": "all", "configurations": 6, "sampler": "cmaes"})
    lab.run(one, winners=False)
    assert len({each.parameters["learning_rate"] for each in lab.history(one).tried}) == 6


def test_cmaes_is_repeatable(new_lab):
    one = study("cmaes", 0, 12)
    found = []
    for lab in (new_lab(bowl), new_lab(bowl)):
        lab.run(one, winners=False)
        found.append([each.parameters for each in lab.history(one, "Focal (tuned)").tried])
    assert found[0] == found[1]
