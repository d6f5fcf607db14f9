"""One look at one case: everything that the checks want to know of it, and nothing large."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.data.case import Case, CaseFiles
from harness.data.checks.mirror import MirrorEvidence, mirror_evidence
from harness.data.checks.within import LOOKS
from harness.data.description import DatasetDescription
from harness.data.findings import Finding, errors_in
from harness.data.read import decode


@dataclass(frozen=True)
class Examination:
    """What one look at a case leaves.

    Attributes:
        case: Name of the case.
        patient: Name of its patient.
        site: Its site, if the archive tells.
        findings: About this case alone.
        image: Digests of its decoded channels; empty for a channel with one value only.
        label: Digest of its labels; empty if they hold no foreground.
        voxels: Number of voxels of each class, background first.
        mirror: How well the mask fits the image, as stored and mirrored; None if it was not decoded.
    """

    case: str
    patient: str
    site: str | None
    findings: tuple[Finding, ...]
    image: tuple[str, ...] = ()
    label: str = ""
    voxels: tuple[int, ...] = ()
    mirror: MirrorEvidence | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the fields, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> "Examination":
        """Return what :meth:`to_json` wrote."""
        return cls(
            **{key: fields[key] for key in ("case", "patient", "site", "label")},
            findings=tuple(Finding(**each) for each in fields["findings"]),
            image=tuple(fields["image"]),
            voxels=tuple(fields["voxels"]),
            mirror=MirrorEvidence.from_json(fields["mirror"]) if fields["mirror"] else None,
        )


def examine(files: CaseFiles, description: DatasetDescription) -> tuple[Case | None, Examination]:
    """Decode a case and look at it.

    Args:
        files: Its files, all of which are there.
        description: The dataset.

    Returns:
        The case, or None if something about it is an error; and what was seen.
    """
    case, findings = decode(files, description)
    if case is None:
        return None, Examination(files.case, files.patient, files.site, tuple(findings))
    findings += [finding for look in LOOKS for finding in look(case, files.case, description)]
    foreground = case.labels.any()
    examination = Examination(
        case=files.case,
        patient=files.patient,
        site=files.site,
        findings=tuple(findings),
        image=tuple(digest(channel) if np.ptp(channel) else "" for channel in case.image),
        label=digest(case.labels) if foreground else "",
        voxels=tuple(np.bincount(case.labels.ravel(), minlength=256)[: description.n_classes].tolist()),
        mirror=mirror_evidence(case.image, case.labels, description.n_classes),
    )
    return (None if errors_in(findings) else case), examination


def digest(array: NDArray[Any]) -> str:
    """Return a digest of an array's shape and values."""
    found = hashlib.sha256(repr(array.shape).encode())
    found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()
