"""Components, and the cells around them, against their definitions."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from harness.geometry import component_cells, components

shapes = arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6)


def flood(labels, n_classes):
    """The definition: scan, and flood each unnumbered pixel's class over all touching pixels."""
    numbers = np.zeros(labels.shape, dtype=int)
    counts = dict.fromkeys(range(n_classes), 0)
    for start in np.ndindex(labels.shape):
        label = labels[start]
        if not 1 <= label < n_classes or numbers[start]:
            continue
        counts[label] += 1
        front = [start]
        while front:
            here = front.pop()
            if numbers[here]:
                continue
            numbers[here] = counts[label]
            for step in itertools.product((-1, 0, 1), repeat=labels.ndim):
                there = tuple(np.add(here, step))
                if all(0 <= i < side for i, side in zip(there, labels.shape, strict=True)) and (
                    labels[there] == label
                ):
                    front.append(there)
    return numbers


@settings(max_examples=80, deadline=None)
@given(arrays.arrays(np.int64, shapes, elements=st.sampled_from([-1, 0, 0, 1, 2, 255])))
def test_components_are_numbered_by_class_in_scan_order(labels):
    found = components(labels, 3)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, flood(labels, 3))


def test_corners_connect():
    labels = np.array([[1, 0, 2], [0, 1, 0], [2, 0, 0]], dtype=np.uint8)
    np.testing.assert_array_equal(components(labels, 3), [[1, 0, 1], [0, 1, 0], [2, 0, 0]])
    volume = np.zeros((2, 2, 2), dtype=np.uint8)
    volume[0, 0, 0] = volume[1, 1, 1] = 1
    assert components(volume, 2).max() == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [(np.ones((2, 2)), "labels must be integers"), (np.ones(3, int), "labels must be 2D or 3D")],
)
def test_components_refuse_what_is_no_label_map(labels, message):
    with pytest.raises(ValueError, match=message):
        components(labels, 2)


def nearest_by_definition(numbers, spacing):
    """The definition in rational numbers: over all pairs, ties to the lower number."""
    cells = np.zeros(numbers.shape, dtype=int)
    seeds = np.argwhere(numbers).tolist()
    squares = [step * step for step in spacing]
    for here in np.ndindex(numbers.shape):
        if seeds:
            cells[here] = min(
                (
                    sum(s * (a - b) ** 2 for s, a, b in zip(squares, here, seed, strict=True)),
                    numbers[tuple(seed)],
                )
                for seed in seeds
            )[1]
    return cells


sizes = st.sampled_from(
    [Fraction(1), Fraction(1), Fraction(24, 25), Fraction(1, 2), Fraction(3), Fraction(9, 7)]
)


@settings(max_examples=150, deadline=None)
@given(
    arrays.arrays(np.int32, shapes, elements=st.sampled_from([0, 0, 0, 0, 1, 2, 3, 5, 40]), fill=st.just(0)),
    st.data(),
)
def test_cells_equal_the_definition_ties_included(numbers, data):
    spacing = data.draw(st.tuples(*[sizes] * numbers.ndim))
    found = component_cells(numbers, [float(step) for step in spacing])
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, nearest_by_definition(numbers, spacing))


@settings(max_examples=20, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 24), st.integers(0, 24)), min_size=2, max_size=20, unique=True))
def test_cells_of_scattered_points_resolve_every_tie(points):
    numbers = np.zeros((25, 25), dtype=np.int32)
    for number, point in enumerate(points, 1):
        numbers[point] = number
    np.testing.assert_array_equal(
        component_cells(numbers, (0.96, 0.96)), nearest_by_definition(numbers, (1, 1))
    )


def test_worked_cells_of_a_row():
    row = np.array([[1, 1, 0, 0, 0, 0, 2, 0]])
    np.testing.assert_array_equal(component_cells(row, (1, 1)), [[1, 1, 1, 1, 2, 2, 2, 2]])


def test_a_tie_goes_to_the_lower_number_wherever_it_lies():
    np.testing.assert_array_equal(component_cells(np.array([[2, 0, 1]]), (1, 1)), [[2, 1, 1]])
    cross = np.array([[0, 4, 0], [3, 0, 2], [0, 7, 0]])
    assert component_cells(cross, (1, 1))[1, 1] == 2
    assert component_cells(cross, (1, 2))[1, 1] == 4


def test_no_component_has_no_cell_and_one_has_all():
    assert not component_cells(np.zeros((3, 4), int), (1, 1)).any()
    one = np.zeros((2, 3, 4), int)
    one[1, 1, 1] = 6
    assert (component_cells(one, (3, 1, 1)) == 6).all()


@pytest.mark.parametrize(
    ("numbers", "spacing", "message"),
    [
        (np.ones((2, 2)), (1, 1), "components must be integers"),
        (np.array([[0, -1]]), (1, 1), "components must be >= 0 \\(got -1\\)"),
        (np.ones((2, 2), int), (1,), "one value per axis"),
        (np.ones((2, 2), int), (1, -1), "positive and finite"),
    ],
)
def test_cells_refuse_what_is_no_numbering(numbers, spacing, message):
    with pytest.raises(ValueError, match=message):
        component_cells(numbers, spacing)
