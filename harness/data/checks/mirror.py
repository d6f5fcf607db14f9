"""Whether a mask fits its image, or fits it better when mirrored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class MirrorEvidence:
    """What one case tells; JSON-able numbers only."""

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "MirrorEvidence":
        """Return what ``dataclasses.asdict`` gave."""
        return cls(**fields)


@dataclass(frozen=True)
class MirrorSuspicion:
    """A case whose mask seems mirrored.

    Attributes:
        case: Its name.
        clause: What speaks for it.
    """

    case: str
    clause: str


def mirror_evidence(image: NDArray[np.float32], labels: NDArray[np.uint8], n_classes: int) -> MirrorEvidence:
    """Measure one case."""
    return MirrorEvidence()


def suspected_mirrors(evidence: Mapping[str, MirrorEvidence]) -> list[MirrorSuspicion]:
    """Return the suspicious cases."""
    return []
