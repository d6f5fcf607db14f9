"""Warps of the physical plane: composed into one sampling grid, whatever the spacing of the pixels."""

import math
from typing import Annotated, ClassVar, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, PositiveFloat, model_validator
from torch import Tensor

from harness.data.augment.base import AUGMENTATIONS, Displacement, Frame, LinearWarp, Probability

_SPLINE_RMS = 151 / 315
"""Root mean square of a plane of cubic B-splines whose coefficients are standard normal."""


@AUGMENTATIONS.register("scale")
class Scale(LinearWarp):
    """Enlarge by a factor around the centre, log-uniform between ``smallest`` and ``largest``."""

    words: ClassVar[str] = "scaling by {smallest:g} to {largest:g}"

    name: Literal["scale"] = "scale"
    smallest: Annotated[float, Field(ge=0.1, le=10)] = 0.85
    largest: Annotated[float, Field(ge=0.1, le=10)] = 1.2
    probability: Probability = 0.3

    @model_validator(mode="after")
    def _ordered(self) -> "Scale":
        if self.smallest > self.largest:
            raise ValueError(
                f"'smallest' ({self.smallest:g}) must not exceed 'largest' ({self.largest:g}); swap them"
            )
        return self

    def matrices(self, generator: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw the factors."""
        logs = generator.random(n)
        factors = self.smallest * (self.largest / self.smallest) ** logs
        return np.eye(2) / factors[:, None, None]


@AUGMENTATIONS.register("rotation")
class Rotation(LinearWarp):
    """Rotate around the centre, uniformly up to ``degrees`` either way, in physical space."""

    words: ClassVar[str] = "rotations by up to {degrees:g} degrees"

    name: Literal["rotation"] = "rotation"
    degrees: Annotated[float, Field(gt=0, le=180)] = 15.0
    probability: Probability = 0.3

    def matrices(self, generator: np.random.Generator, n: int) -> NDArray[np.float64]:
        """Draw the angles; positive ones turn counter-clockwise as displayed."""
        angles = np.deg2rad(self.degrees) * generator.uniform(-1, 1, n)
        cosine, sine = np.cos(angles), np.sin(angles)
        return np.stack([np.stack([cosine, sine], -1), np.stack([-sine, cosine], -1)], axis=1)


@AUGMENTATIONS.register("elastic")
class Elastic(Displacement):
    """Displace smoothly: a plane of cubic B-splines whose coefficients are normal.

    The root mean square of the displacement along each axis is ``amplitude``, the distance of the
    splines ``knots``, both in millimetres. An amplitude beyond a quarter of that distance is refused:
    the plane could fold.
    """

    words: ClassVar[str] = "elastic deformations of {amplitude:g} mm on splines {knots:g} mm apart"

    name: Literal["elastic"] = "elastic"
    amplitude: PositiveFloat = 2.0
    knots: PositiveFloat = 32.0
    probability: Probability = 0.3

    @model_validator(mode="after")
    def _unfolded(self) -> "Elastic":
        if 4 * self.amplitude > self.knots:
            raise ValueError(
                f"'amplitude' ({self.amplitude:g} mm) must be at most a quarter of 'knots' "
                f"({self.knots:g} mm), or the image folds; lower it or widen the knots"
            )
        return self

    def coefficients(self, generator: np.random.Generator, frame: Frame) -> NDArray[np.float32]:
        """Draw the normals ``(n, 2, K, K)``, enough knots for the longest side of any slice."""
        n_knots = math.floor(frame.extent / self.knots) + 4
        return generator.standard_normal((frame.slices, 2, n_knots, n_knots), dtype=np.float32)

    def field(self, coefficients: Tensor, rows: Tensor, columns: Tensor, frame: Frame) -> Tensor:
        """Return the displacements ``(B, 2, H, W)`` in millimetres."""
        along_rows, along_columns = (
            self._splines(points + frame.extent / 2, coefficients.shape[-1]) for points in (rows, columns)
        )
        scaled = coefficients * (self.amplitude / _SPLINE_RMS)
        return along_rows[:, None] @ scaled @ along_columns[:, None].mT

    def _splines(self, points: Tensor, n_knots: int) -> Tensor:
        """Return the value ``(B, H, K)`` of every spline at every point ``(B, H)``, from the first side."""
        knots = torch.arange(-1, n_knots - 1, device=points.device, dtype=points.dtype)
        distance = (points[..., None] / self.knots - knots).abs()
        near = 2 / 3 - distance**2 + distance**3 / 2
        far = (2 - distance).clamp(min=0) ** 3 / 6
        return torch.where(distance < 1, near, far)
