"""WMH 2017: the archives of the challenge, or the full release of 2022.

Source of the trees: Kuijf et al., IEEE TMI 38(11), 2019, and DataverseNL, doi 10.34894/AECRSD.
"""

from collections.abc import Iterator
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import is_junk, layout, require_channels, unwrapped

LABEL = "wmh.nii.gz"
CHANNELS = {"FLAIR": "pre/FLAIR.nii.gz", "T1": "pre/T1.nii.gz"}

_EXPECTS = (
    "the WMH 2017 tree there: Utrecht/, Singapore/ and GE3T/ (or training/, or dataverse_files/) with "
    "<id>/wmh.nii.gz, <id>/pre/FLAIR.nii.gz and <id>/pre/T1.nii.gz; or write a simulated one with "
    "`lossbench data simulate`"
)
_OTHER_OBSERVERS = "additional_annotations"
_DEPTH = 3  # Amsterdam/GE3T/<id> in the release of 2022, one level less in the archives of 2017


@layout("wmh2017", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return one case for each ``wmh.nii.gz``; the bare id names case and patient, its folder the site.

    In the release of 2022 these are the training cases; its 110 test cases are read by giving
    ``test`` of that release as the dataset's folder.

    Raises:
        InputError: if the description asks for a channel that the archive does not hold on the
            FLAIR grid.
    """
    require_channels(description, CHANNELS)
    root = unwrapped(root, "dataverse_files", "training")
    folders = _case_folders(root, root, _DEPTH)
    return [_case(folder, description) for folder in folders]


def _case_folders(folder: Path, root: Path, depth: int) -> Iterator[Path]:
    for child in sorted(folder.iterdir()):
        if is_junk(child, root) or child.name == _OTHER_OBSERVERS or not child.is_dir():
            continue
        if (child / LABEL).is_file():
            yield child
        elif depth > 1:
            yield from _case_folders(child, root, depth - 1)


def _case(folder: Path, description: DatasetDescription) -> CaseFiles:
    return CaseFiles(
        case=folder.name,
        patient=folder.name,
        channels=tuple(folder / CHANNELS[channel] for channel in description.channels),
        label=folder / LABEL,
        site=folder.parent.name,
    )
