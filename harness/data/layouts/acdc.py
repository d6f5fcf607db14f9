"""ACDC: short-axis cine MR, the end-diastolic and the end-systolic frame of every patient.

Source of the tree: Bernard et al., IEEE TMI 37(11), 2018, doi 10.1109/TMI.2018.2837502.
"""

import re
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import layout, require_channels, unwrapped

CHANNELS = ("cine MR",)

_EXPECTS = (
    "the ACDC tree there: training/ (or database/training/) with patient001/Info.cfg, "
    "patient001/patient001_frame01.nii.gz and patient001/patient001_frame01_gt.nii.gz; or write a simulated "
    "one with `lossbench data simulate`"
)
_PATIENT = re.compile(r"patient\d+")


class _BrokenInfoError(Exception):
    """``Info.cfg`` does not tell the frames; the message says why."""


@layout("acdc", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return two cases a patient, one for each frame that its ``Info.cfg`` names as ED and ES.

    The patients of ``testing`` are read by giving that folder as the dataset's folder.

    Raises:
        InputError: if the description asks for a channel that the archive does not hold.
    """
    require_channels(description, CHANNELS)
    folders = unwrapped(root, "database", "training").iterdir()
    patients = sorted(folder for folder in folders if _PATIENT.fullmatch(folder.name) and folder.is_dir())
    return [case for folder in patients for case in _cases(folder)]


def _cases(folder: Path) -> list[CaseFiles]:
    frames: tuple[int, ...]
    problems: tuple[str, ...] = ()
    info = folder / "Info.cfg"
    try:
        frames = _named_frames(info)
    except _BrokenInfoError as error:
        frames = _frames_on_disk(folder)
        problems = (
            f"has no frames named ED and ES, because {str(info)!r} {error}; "
            "restore that file from the archive",
        )
    names = [f"{folder.name}_frame{frame:02d}" for frame in frames]
    return [
        CaseFiles(
            case=name,
            patient=folder.name,
            channels=(folder / f"{name}.nii.gz",),
            label=folder / f"{name}_gt.nii.gz",
            problems=problems,
        )
        for name in names
    ]


def _named_frames(info: Path) -> tuple[int, int]:
    """Return the numbers of the ED and the ES frame, from 1 up."""
    try:
        text = info.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        why = "is not there" if isinstance(error, FileNotFoundError) else f"cannot be read ({error})"
        raise _BrokenInfoError(why) from None
    values = {
        key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.split("\n"))
    }
    diastole, systole = (_frame(values, key) for key in ("ED", "ES"))
    if diastole == systole:
        raise _BrokenInfoError(f"gives frame {diastole} for both")
    return diastole, systole


def _frame(values: dict[str, str], key: str) -> int:
    value = values.get(key)
    if value is None:
        raise _BrokenInfoError(f"has no line '{key}: <frame>'")
    if not value.isdecimal() or int(value) < 1:
        raise _BrokenInfoError(f"says {value!r} for {key}")
    return int(value)


def _frames_on_disk(folder: Path) -> tuple[int, ...]:
    """Return the annotated frames by file name; frame 1 if there are none."""
    expression = re.compile(re.escape(folder.name) + r"_frame(\d{2,})_gt\.nii\.gz")
    matches = (expression.fullmatch(path.name) for path in folder.iterdir())
    return tuple(sorted(int(match[1]) for match in matches if match)) or (1,)
