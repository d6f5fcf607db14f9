"""Shapes of label masks: numpy arrays in, numpy arrays out.

Here live the signed distance maps. The room knows nothing of losses, datasets or torch and imports
nothing of the project. Masks are boolean, label maps are integer, 2D or 3D; distances are in the
unit of ``spacing`` (millimetres, or voxels when the spacing is 1).
"""

from harness.geometry.distance import Offset, signed_distance_map, signed_distance_maps

__all__ = ["Offset", "signed_distance_map", "signed_distance_maps"]
