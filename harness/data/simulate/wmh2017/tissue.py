"""Brain, lateral ventricles and tissue of a FLAIR and T1 pair, estimated from the images alone.

Made for measuring, not for segmenting well: rules with few constants that treat a simulated and a
real image alike. Lengths are millimetres, so they hold for every voxel size.

* **Brain**: tissue is what exceeds 55 % of the median FLAIR of the head (Otsu). Its largest piece
  after erosion by 4 mm, grown back by 8 mm inside tissue, closed by 8 mm and filled: brain and its
  fluid, without skull, scalp and face.
* **Tissue classes**: two thresholds of Otsu on the T1 inside the brain split fluid, grey and white
  matter, after smoothing by one voxel in-plane.
* **Normal-appearing white matter (NAWM)**: the white class eroded by one voxel (18 neighbours), more
  than 3 mm from any label and more than 6 mm below the brain's surface.
* **Cortex**: the grey class less than 10 mm below the surface, more than 3 mm from any label.
* **Lateral ventricles**: voxels dark in both images (FLAIR below 60 % of NAWM, T1 in the fluid class)
  deeper than 22 mm and outside label 2; of their pieces (6-connected) the largest and all that
  reach a seventh of it.
"""

from dataclasses import dataclass

import edt
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from harness.data.simulate.scanner import Volume

Mask = NDArray[np.bool_]
Spacing = tuple[float, float, float]

_EIGHTEEN = ndimage.generate_binary_structure(3, 2)


@dataclass(frozen=True)
class Tissue:
    """Regions of one case, all of the images' shape.

    Attributes:
        brain: Brain and its fluid.
        depth_mm: Distance to the nearest voxel outside the brain, 0 outside.
        nawm: Normal-appearing white matter.
        cortex: Superficial grey matter.
        ventricles: Lateral ventricles.
    """

    brain: Mask
    depth_mm: Volume
    nawm: Mask
    cortex: Mask
    ventricles: Mask


def distance_mm(mask: Mask, spacing: Spacing) -> Volume:
    """Return the distance of every voxel to the nearest one of ``mask``, in mm, 0 inside."""
    return np.asarray(edt.edt(np.asfortranarray(~mask), anisotropy=spacing), np.float32)


def segment(flair: Volume, t1: Volume, labels: NDArray[np.uint8], spacing: Spacing) -> Tissue:
    """Estimate the regions of one case.

    Args:
        flair: (x, y, z), any unit.
        t1: On the same grid, any unit.
        labels: 0 normal, 1 hyperintensity, 2 other pathology.
        spacing: Voxel size in mm.
    """
    from skimage.filters import threshold_multiotsu  # a slow import that few processes need

    flair, t1 = (ndimage.gaussian_filter(image, (0.7, 0.7, 0)) for image in (flair, t1))
    brain = _brain(flair, spacing)
    depth = distance_mm(~brain, spacing)
    clipped = np.minimum(t1[brain], np.percentile(t1[brain], 99.5))
    fluid_below, white_above = threshold_multiotsu(clipped, classes=3)  # type: ignore[no-untyped-call]
    normal = brain & (distance_mm(labels > 0, spacing) > 3) if labels.any() else brain
    white = ndimage.binary_erosion(brain & (t1 > white_above), _EIGHTEEN)
    nawm = white & normal & (depth > 6)
    grey = normal & (t1 > fluid_below) & (t1 <= white_above)
    dark = brain & (t1 <= fluid_below) & (flair < 0.6 * np.median(flair[nawm])) & (labels != 2)
    return Tissue(brain, depth, nawm, grey & (depth < 10), _large_pieces(dark & (depth > 22)))


def _brain(flair: Volume, spacing: Spacing) -> Mask:
    from skimage.filters import threshold_otsu

    head = flair[flair > threshold_otsu(flair)]  # type: ignore[no-untyped-call]
    tissue = flair > 0.55 * np.median(head)
    core = _largest_piece(distance_mm(~tissue, spacing) > 4)
    grown = tissue & (distance_mm(core, spacing) < 8)
    wide = distance_mm(_largest_piece(grown), spacing) <= 8
    closed = distance_mm(~wide, spacing) > 8
    filled = np.stack([ndimage.binary_fill_holes(plane) for plane in np.moveaxis(closed, 2, 0)], axis=2)
    return np.asarray(filled, bool)


def _largest_piece(mask: Mask) -> Mask:
    pieces, sizes = _pieces(mask)
    return np.asarray(pieces == np.argmax(sizes)) & mask


def _large_pieces(mask: Mask) -> Mask:
    pieces, sizes = _pieces(mask)
    return np.asarray((sizes >= max(sizes.max() / 7, 1))[pieces])


def _pieces(mask: Mask) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Label the 6-connected pieces; return the labels and their sizes, the background's set to 0."""
    pieces = np.asarray(ndimage.label(mask)[0], np.intp)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    return pieces, sizes
