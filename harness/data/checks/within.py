"""What is odd about one decoded case. Each function looks for one thing."""

from collections.abc import Callable, Iterator

import numpy as np

from harness.data.case import IGNORE, Case
from harness.data.description import DatasetDescription
from harness.data.findings import Finding
from harness.data.normalise import region

Look = Callable[[Case, str, DatasetDescription], Iterator[Finding]]
"""``(case, its name, dataset)`` -> findings."""


def constant_channels(case: Case, name: str, description: DatasetDescription) -> Iterator[Finding]:
    """Find channels with one value only."""
    for channel, voxels in zip(description.channels, case.image, strict=True):
        if voxels.min() == voxels.max():
            yield Finding(
                "constant_channel",
                name,
                f"channel {channel} has the value {voxels.flat[0]:g} everywhere",
                "look at the file",
            )


def odd_labels(case: Case, name: str, description: DatasetDescription) -> Iterator[Finding]:
    """Find masks without foreground, and classes that fill the image."""
    counts = np.bincount(case.labels.ravel(), minlength=IGNORE + 1)
    if not counts[1 : description.n_classes].any():
        yield Finding("empty_label", name, "has no foreground", "right if the patient has none")
    for index in range(1, description.n_classes):
        if counts[index] == case.labels.size:
            yield Finding(
                "full_label",
                name,
                f"class {description.classes[index]!r} fills the whole image",
                "look at the mask: distance maps of it mean nothing",
            )


def slice_plane(case: Case, name: str, description: DatasetDescription) -> Iterator[Finding]:
    """Find volumes that are cut across their acquired slices."""
    between, *inplane = case.spacing
    if between < 0.67 * max(inplane):
        yield Finding(
            "slice_plane",
            name,
            f"{description.slices} slices are {between:.3g} mm apart, their pixels up to "
            f"{max(inplane):.3g} mm",
            "set 'slices' to the plane that was acquired",
        )


def normalisation_regions(case: Case, name: str, description: DatasetDescription) -> Iterator[Finding]:
    """Find channels without a voxel in the region that normalises them."""
    for channel, how in enumerate(description.normalisations):
        if not region(case, channel, how).any():
            yield Finding(
                "normalisation",
                name,
                f"no voxel of channel {description.channels[channel]} lies in the normalisation region "
                f"{how.mask!r}",
                "check the image or its mask",
            )


LOOKS: tuple[Look, ...] = (constant_channels, odd_labels, slice_plane, normalisation_regions)
