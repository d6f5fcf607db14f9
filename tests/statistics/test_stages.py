"""When to stop adding seeds."""

import numpy as np
import pytest

from harness.statistics.block import Block, Runs
from harness.statistics.simulated_scores import Truth, block_of, simulate
from harness.statistics.stages import Looks, judge, planned_looks

LOOKS = planned_looks(10)


def study(means: tuple[float, ...], patients: int = 60, seeds: int = 3, **how: float) -> Block:
    truth = Truth(means=means, patients=patients, **how)
    return block_of(
        simulate(truth, seeds, np.random.default_rng(4)), names=[f"L{i}" for i in range(len(means))]
    )


@pytest.mark.parametrize("most", [2, 3, 4, 5, 8, 10, 20, 100])
def test_the_levels_of_all_looks_add_up_to_alpha(most: int) -> None:
    looks = planned_looks(most)
    assert sum(looks.alphas) == pytest.approx(0.05)
    assert looks.seeds[-1] == most
    assert list(looks.seeds) == sorted(set(looks.seeds))
    assert len(looks.seeds) == len(looks.alphas)


def test_a_clear_winner_is_decided_at_the_first_look() -> None:
    stage = judge(study((0.0, -0.1, -0.1)), 0, LOOKS, 0.01)
    assert stage.outcome == "decided"
    assert "'L0'" in stage.reason
    assert set(stage.dropped) == {"L1", "L2"}
    assert not stage.wanted


def test_the_inferior_is_dropped_and_those_that_block_get_seeds() -> None:
    stage = judge(study((0.0, -0.002, -0.1), patients=150), 0, LOOKS, 0.01)
    assert (stage.outcome, stage.dropped) == ("go on", ("L2",))
    assert dict(stage.wanted) == {"L0": 5, "L1": 5}


def test_too_few_patients_for_the_margin_make_it_impossible() -> None:
    stage = judge(study((0.0, -0.002, -0.1), patients=10, interaction_sd=0.05), 0, LOOKS, 0.001)
    assert stage.outcome == "impossible"
    assert "not expected" in stage.reason


def test_the_last_look_ends_without_seeds() -> None:
    stage = judge(study((0.0, -0.002, -0.1), patients=150, seeds=10), 2, LOOKS, 0.0001)
    assert stage.outcome == "out of seeds"
    assert not stage.wanted


def test_a_leader_with_collapsed_runs_cannot_be_decided_for() -> None:
    block = study((0.0, -0.1, -0.1))
    runs = {**block.runs, "L0": Runs(scored=(0, 1, 2), collapsed=(3,))}
    bad = Block(**{**{k: getattr(block, k) for k in Block.__dataclass_fields__}, "runs": runs})
    stage = judge(bad, 0, LOOKS, 0.01)
    assert (stage.outcome, stage.reason) == (
        "impossible",
        "every loss that may be the best has collapsed runs: L0",
    )


def test_losses_of_no_use_are_dropped_and_one_that_is_left_is_the_answer() -> None:
    block = study((0.0, -0.1)).without(["L1"])
    gone = Block(
        **{
            **{k: getattr(block, k) for k in Block.__dataclass_fields__},
            "runs": {**block.runs, "L1": Runs(collapsed=(0, 1, 2))},
        }
    )
    stage = judge(gone, 0, LOOKS, 0.01)
    assert (stage.outcome, stage.dropped) == ("decided", ("L1",))


def test_one_look_is_taken_at_the_whole_level() -> None:
    assert planned_looks(3) == Looks((3,), (0.05,))
