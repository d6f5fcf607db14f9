"""ISLES 2018: CT perfusion of acute stroke, with the maps named ``CT_*`` or, in an earlier export, ``MR_*``.

Source of the tree: Hakim et al., Stroke 52(7), 2021, doi 10.1161/STROKEAHA.120.030696.
"""

import re
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import layout, require_channels, unwrapped
from harness.data.layouts.isles2018_patients import patient_of

CHANNELS = {"CT": "CT", "CBF": "CT_CBF", "CBV": "CT_CBV", "MTT": "CT_MTT", "Tmax": "CT_Tmax"}
"""Channel -> kind of file. The 4D source ``CT_4DPWI`` is none of them."""

_EXPECTS = (
    "the ISLES 2018 tree there: TRAINING/case_1/SMIR.Brain.XX.O.CT.<id>/SMIR.Brain.XX.O.CT.<id>.nii and "
    "likewise CT_CBF, CT_CBV, CT_MTT, CT_Tmax and the mask OT; or write a simulated one with "
    "`lossbench data simulate`"
)
_LABEL = "OT"
_CASE = re.compile(r"case_([1-9]\d*)")
_PREFIX = "SMIR.Brain.XX.O."
_STEM = re.compile(re.escape(_PREFIX) + r"(OT|CT|(?:CT|MR)_(?:CBF|CBV|MTT|Tmax|4DPWI))\.\d+")


@layout("isles2018", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return one case for each folder ``case_<n>``; cases that may show one patient share its name.

    ``TESTING`` came without masks and gives no case.

    Raises:
        InputError: if the description asks for a channel that the archive does not hold.
    """
    require_channels(description, CHANNELS)
    folders = unwrapped(root, "ISLES2018_Training", "TRAINING").iterdir()
    numbers = {folder: _CASE.fullmatch(folder.name) for folder in folders if folder.is_dir()}
    found = [(folder, int(match[1]), _files(folder)) for folder, match in numbers.items() if match]
    if not any(_LABEL in files for _, _, files in found):
        return []
    return [_case(folder, number, files, description) for folder, number, files in found]


def _files(folder: Path) -> dict[str, list[Path]]:
    """Return the files of a case by kind; each lies in a folder of its own stem."""
    files: dict[str, list[Path]] = {}
    for child in sorted(folder.iterdir()):
        if match := _STEM.fullmatch(child.name):
            files.setdefault(match[1].replace("MR_", "CT_"), []).append(child / f"{child.name}.nii")
    return files


def _case(
    folder: Path, number: int, files: dict[str, list[Path]], description: DatasetDescription
) -> CaseFiles:
    kinds = [CHANNELS[channel] for channel in description.channels]
    return CaseFiles(
        case=folder.name,
        patient=patient_of(number),
        channels=tuple(_one(folder, files, kind) for kind in kinds),
        label=_one(folder, files, _LABEL),
        problems=tuple(
            f"has {len(files[kind])} files of the kind {kind}, such as {files[kind][0].name!r} and "
            f"{files[kind][1].name!r}; keep the one that belongs to it"
            for kind in dict.fromkeys((*kinds, _LABEL))
            if len(files.get(kind, ())) > 1
        ),
    )


def _one(folder: Path, files: dict[str, list[Path]], kind: str) -> Path:
    """Return the first file of a kind; where it should be, but for the number, if there is none."""
    stem = f"{_PREFIX}{kind}.*"
    return files[kind][0] if kind in files else folder / stem / f"{stem}.nii"
