"""A proposed manifest, read as the study of a user would."""

from collections.abc import Sequence
from pathlib import Path

from harness.data.description import DatasetDescription, describe
from harness.data.layouts import find_cases
from harness.data.manifest import Proposal, propose
from harness.data.read import read_case
from tests.data.manifest.trees import blob, nifti, noise

SHAPE = (20, 24, 3)


def round_trip(proposal: Proposal, folder: Path, out: Path) -> DatasetDescription:
    """Read the manifest as a user's study would, and find and read all its cases."""
    path = out / f"{proposal.name}.yaml"
    path.write_text(proposal.text, encoding="utf-8")
    description = describe(path.name, out)
    found = find_cases(description.folder_in(folder.parent), description)
    assert [case.case for case in found] == list(proposal.cases)
    assert len({case.patient for case in found}) == proposal.patients
    for case in found[:2]:
        read_case(case, description)
    return description


def proposed(folder: Path, tmp_path: Path) -> tuple[Proposal, DatasetDescription]:
    proposal = propose(folder)
    return proposal, round_trip(proposal, folder, tmp_path)


def folder_per_patient(root: Path, names: Sequence[str], images: Sequence[str], label: str) -> Path:
    for at, name in enumerate(names):
        for image in images:
            nifti(root / name / f"{image.format(name)}.nii.gz", noise(SHAPE, seed=at))
        nifti(root / name / f"{label.format(name)}.nii.gz", blob(SHAPE))
    return root
