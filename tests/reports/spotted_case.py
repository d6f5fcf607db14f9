"""A case made of noise with a few spots."""

import numpy as np

from harness.data.case import Case


def make_case(seed=0, shape=(5, 40, 30), spacing=(6.0, 1.0, 2.0), ignored=False):
    """A body in air with one spot on slices 2 and 3, largest on slice 3, and one pixel of class 2."""
    generator = np.random.default_rng(seed)
    body = np.zeros(shape)
    body[:, 4:-4, 4:-4] = 100
    image = (body + generator.normal(0, 3, (2, *shape))).astype(np.float32)
    labels = np.zeros(shape, np.uint8)
    if shape[0] > 1:
        labels[1, 10:12, 10:12] = 1
        labels[2, 10:14, 10:15] = 1
        labels[2, 30, 20] = 2
    if ignored:
        labels[2, 20:26, 8:14] = 255
    return Case(image, labels, None, spacing)
