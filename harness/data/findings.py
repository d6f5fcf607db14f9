"""What can be wrong with a dataset: the checks by name, and what one of them found in a case."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from harness.errors import InputError
from harness.registry import Registry

Severity = Literal["error", "warning"]
"""An error stops ``prepare``; a warning is told and lived with."""


@dataclass(frozen=True)
class Check:
    """One kind of trap.

    Attributes:
        severity: Of everything it finds.
        looks_for: What it looks for, to complete "finds ...".
        acceptable: Whether a dataset's description may declare a finding right, under ``accept``.
    """

    severity: Severity
    looks_for: str
    acceptable: bool = False


CHECKS: Registry[Check] = Registry("check")

for _name, _check in {
    "files": Check("error", "cases that lack a file, have too many, or link out of the dataset's folder"),
    "unreadable": Check("error", "truncated and broken files, axes of length zero"),
    "dimensions": Check("error", "4D files where 3D is due, a wrong number of channels"),
    "shape": Check("error", "files of one case with different shapes"),
    "affine": Check("error", "files of one case that lie on different grids in space (tolerance 1e-3 mm)"),
    "not_finite": Check("error", "NaN and infinite voxels"),
    "label_code": Check("error", "label codes outside the label map: 255, fractions, other classes"),
    "normalisation": Check("error", "cases without a voxel in the region used for normalisation"),
    "duplicate_image": Check("error", "two cases with the same image", acceptable=True),
    "mirrored_label": Check("error", "masks that fit their image better when mirrored", acceptable=True),
    "incomplete": Check("warning", "cases left out by `incomplete: skip`: a class has no mask there"),
    "overlap": Check("warning", "masks of two classes that share voxels, neither inside the other"),
    "duplicate_label": Check("warning", "two cases with the same mask that is not empty"),
    "orientation": Check("warning", "files of one case stored in different orientations"),
    "spacing": Check("warning", "headers whose affine and pixdim tell different voxel sizes"),
    "slice_plane": Check("warning", "slices cut across the acquired ones: voxels longer in the plane"),
    "constant_channel": Check("warning", "channels with one value only"),
    "empty_label": Check("warning", "cases without foreground"),
    "full_label": Check("warning", "a class that fills the whole image"),
    "absent_class": Check("warning", "classes that no case holds"),
    "patient_sites": Check("warning", "patients with cases of two sites"),
}.items():
    CHECKS.register(_name)(_check)


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        check: Name of the check.
        case: The case, or None where the dataset as a whole is meant.
        message: What is wrong, a clause that names file and value.
        remedy: What to do about it.
    """

    check: str
    case: str | None
    message: str
    remedy: str

    @property
    def severity(self) -> Severity:
        """Error or warning."""
        return CHECKS[self.check].severity

    @property
    def sentence(self) -> str:
        """The whole in one sentence."""
        subject = "" if self.case is None else f"case {self.case!r}: "
        return f"{subject}{self.message}; {self.remedy}"


def errors_in(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings that are errors."""
    return [finding for finding in findings if finding.severity == "error"]


def refuse_errors(findings: Iterable[Finding], prefix: str = "") -> None:
    """Do nothing if no finding is an error.

    Raises:
        InputError: with one line per error.
    """
    wrong = errors_in(findings)
    if wrong:
        raise InputError("\n".join(prefix + finding.sentence for finding in wrong))
