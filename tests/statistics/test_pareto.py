import numpy as np
import pytest
from numpy.typing import NDArray

from harness.statistics.block import Block, Unanswerable
from harness.statistics.draws import joint_draws
from harness.statistics.pareto import front_of, pareto_front, quadrants
from harness.statistics.scale import Scale
from harness.statistics.simulated_scores import Truth, block_of, simulate


def by_hand(points: NDArray[np.float64]) -> list[bool]:
    return [not any((other >= own).all() and (other > own).any() for other in points) for own in points]


def test_front_is_what_no_point_dominates() -> None:
    points = np.random.default_rng(1).integers(0, 6, (200, 9, 2)).astype(float)
    assert pareto_front(points).tolist() == [by_hand(each) for each in points]
    assert pareto_front(np.ones((3, 2))).tolist() == [True] * 3
    assert pareto_front(np.ones((1, 2))).tolist() == [True]


def distances(block: Block, better: dict[str, float]) -> Block:
    """Distances of the same patients and losses."""
    scale = Scale("lower", log=True)
    random = np.random.default_rng(2)
    raw = [5 * np.exp(-better[loss] + random.normal(0, 0.1, block.scores[0].shape)) for loss in block.losses]
    return Block(
        block.dataset,
        "hd95",
        scale,
        block.patients,
        block.losses,
        tuple(map(scale.scores, raw)),
        block.runs,
        dict(zip(block.losses, raw, strict=True)),
    )


@pytest.fixture
def overlap() -> Block:
    names = ("overlap", "boundary", "neither")
    return block_of(simulate(Truth((0.2, 0.0, -0.1)), 4, np.random.default_rng(3)), names=names)


def test_losses_that_win_one_metric_each_share_the_front(overlap: Block) -> None:
    found = front_of(overlap, distances(overlap, {"overlap": 0.0, "boundary": 1.0, "neither": -1.0}))
    assert found.front == ("overlap", "boundary")
    assert found.metrics == ("dsc", "hd95")
    assert found.membership[:2] == pytest.approx([1, 1], abs=0.01)
    assert found.membership[2] < 0.01
    assert found.means[:, 0] == pytest.approx(overlap.means)


def test_membership_is_the_share_of_draws_that_share_their_patients(overlap: Block) -> None:
    boundary = distances(overlap, {"overlap": 0.0, "boundary": 0.02, "neither": 0.0})
    found = front_of(overlap, boundary, number=200, entropy=(5, 1))
    both = [joint_draws(block, 0.0, number=200, entropy=(5, 1)).theta for block in (overlap, boundary)]
    points = np.stack(both, axis=-1)
    assert found.membership == pytest.approx(np.mean([by_hand(each) for each in points], axis=0))


def test_a_duplicate_is_on_the_front_with_its_twin() -> None:
    same = np.random.default_rng(4).random((8, 3))
    block = block_of([same, same])
    found = front_of(block, distances(block, {"loss 0": 0.0, "loss 1": 0.0}), number=10)
    assert found.on_front.any()
    constant = block_of([np.full((8, 3), 0.5)] * 2)
    assert front_of(constant, constant, number=10).membership.tolist() == [1, 1]


def test_quadrants_count_patients(overlap: Block) -> None:
    first = block_of([np.full((5, 2), 0.5), np.full((5, 2), 0.5)], names=("a", "b"))
    shift = np.array([0.1, 0.1, -0.1, -0.1, 0.0])[:, None]
    better = block_of([np.full((5, 2), 0.5) + shift, np.full((5, 2), 0.5)], names=("a", "b"))
    other = block_of([np.full((5, 2), 0.5) + shift[[0, 2, 1, 3, 4]], np.full((5, 2), 0.5)], names=("a", "b"))
    found = quadrants(better, other, "a", "b")
    shares = (found.both_better, found.first_only, found.second_only, found.both_worse)
    assert shares == (0.2, 0.2, 0.2, 0.2)
    assert found.first == pytest.approx(shift.ravel())
    assert quadrants(first, first, "a", "b").both_better == 0
    with pytest.raises(Unanswerable, match="'z' has fewer than two runs"):
        quadrants(first, first, "a", "z")


def test_other_patients_are_refused(overlap: Block) -> None:
    other = block_of([each[1:] for each in overlap.scores], names=overlap.losses)
    with pytest.raises(Unanswerable, match="other patients"):
        front_of(overlap, other)
    with pytest.raises(Unanswerable, match="compared on both"):
        front_of(overlap, block_of(overlap.scores, names=("x", "y", "z")))
