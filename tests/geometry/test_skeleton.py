"""The tube around a skeleton: inside the mask, in every object, and thin."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from harness.geometry import skeleton_tube

masks = arrays.arrays(bool, arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=6))


@settings(max_examples=150, deadline=None)
@given(masks)
def test_tube_lies_inside_the_mask_and_meets_every_object(mask):
    for dilations in (0, 2):
        tube = skeleton_tube(mask, dilations)
        assert tube.dtype == bool
        assert tube.shape == mask.shape
        assert not (tube & ~mask).any()
        objects, count = ndimage.label(mask, structure=np.ones((3,) * mask.ndim))
        assert set(objects[tube]) == set(range(1, count + 1))


@pytest.mark.parametrize("shape", [(5, 5), (3, 5, 5)])
def test_one_pixel_is_its_own_tube_and_nothing_has_none(shape):
    mask = np.zeros(shape, dtype=bool)
    assert not skeleton_tube(mask).any()
    mask[(1,) * len(shape)] = True
    np.testing.assert_array_equal(skeleton_tube(mask), mask)


def test_two_dilations_make_a_bar_five_pixels_wide():
    bar = np.ones((9, 41), dtype=bool)
    for dilations, width in ((0, 1), (1, 3), (2, 5)):
        tube = skeleton_tube(bar, dilations)
        assert (tube[:, 15:26].sum(axis=0) == width).all()


def test_a_volume_is_dilated_along_its_depth_too():
    rod = np.ones((7, 7, 31), dtype=bool)
    middle = skeleton_tube(rod, 1)[:, :, 15]
    assert middle.sum() == 5
    assert middle.sum(axis=0).max() == middle.sum(axis=1).max() == 3


def test_an_object_that_lees_thinning_erases_stays_whole():
    volume = np.array(
        [
            [[0, 0, 1], [1, 1, 0], [1, 1, 1]],
            [[1, 0, 0], [1, 1, 0], [0, 0, 1]],
            [[1, 1, 1], [0, 0, 0], [0, 1, 1]],
        ],
        dtype=bool,
    )
    np.testing.assert_array_equal(skeleton_tube(volume), volume)


@pytest.mark.parametrize(
    ("mask", "dilations", "message"),
    [
        (np.ones((2, 2), int), 2, "mask must be boolean"),
        (np.ones(3, bool), 2, "mask must be 2D or 3D"),
        (np.ones((2, 2), bool), -1, "dilations must be >= 0"),
    ],
)
def test_wrong_input_is_refused(mask, dilations, message):
    with pytest.raises(ValueError, match=message):
        skeleton_tube(mask, dilations)
