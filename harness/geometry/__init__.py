"""Shapes of label masks: numpy arrays in, numpy arrays out.

Here live the signed distance maps, the connected components with the cells around them, skeletons and
surfaces. The room knows nothing of losses, datasets or torch and imports nothing of the project. Masks
are boolean, label maps are integer, 2D or 3D; distances are in the unit of ``spacing`` (millimetres, or
voxels when the spacing is 1).
"""

from harness.geometry.cells import class_cells, component_cells
from harness.geometry.components import components
from harness.geometry.distance import Offset, boundary_distances, signed_distance_map, signed_distance_maps
from harness.geometry.skeleton import skeleton_tube

__all__ = [
    "Offset",
    "boundary_distances",
    "class_cells",
    "component_cells",
    "components",
    "signed_distance_map",
    "signed_distance_maps",
    "skeleton_tube",
]
