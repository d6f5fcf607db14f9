"""Find a trial's network, and segment a folder of images with it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.cli.home import Home
from harness.cli.output import print_warning
from harness.data.case import ImageFiles
from harness.data.description import DatasetDescription
from harness.data.segmentation_file import codes_of_classes, write_segmentation
from harness.data.slices import image_slices, restack, slice_grid
from harness.data.unlabelled import ImageFolder, check_images, find_images, read_images
from harness.errors import InputError
from harness.store.artifacts import digest_of_file
from harness.store.database import open_database
from harness.store.keys import SHOWN
from harness.store.models import kept_model
from harness.strict_yaml import validate
from harness.training.model_file import StoredModel, load
from harness.training.prediction import Segmenter, choose_device

Progress = Callable[[int, int], None]
"""``(cases done, cases in all)``."""


@dataclass(frozen=True)
class Segmentation:
    """A file that was written."""

    case: str
    file: Path


@dataclass(frozen=True)
class Target:
    """Where segmentations go.

    Attributes:
        folder: Made if it is not there.
        overwrite: Whether files may be replaced.
    """

    folder: Path
    overwrite: bool = False

    def path(self, case: str) -> Path:
        """Return the file of a case."""
        return self.folder / f"{case}.nii.gz"


def stored_model(trial: str, home: Home) -> StoredModel:
    """Return the network of a trial.

    Args:
        trial: Key or beginning of the key of a trial in the database, or the path of a model file.
        home: Where the database and its artifacts are.

    Raises:
        InputError: if there is no such trial, or its file is missing or changed.
    """
    if trial.endswith(".pt"):
        return load(Path(trial))
    database = open_database(home.database_url)
    try:
        kept = kept_model(database, trial)
    finally:
        database.close()
    path = home.artifacts / kept.path
    where = f"the network of trial {kept.key[:SHOWN]!r}, {str(path)!r},"
    if not path.is_file():
        raise InputError(f"{where} is not there; bring the file back, or give the --home that it is in")
    found = digest_of_file(path)
    if found != kept.sha256:
        raise InputError(
            f"{where} has changed since it was trained (sha256 is {found[:SHOWN]}, the database has "
            f"{kept.sha256[:SHOWN]}); bring the file back, or give its path instead of the trial"
        )
    if kept.flaw is not None:
        print_warning(f"trial {kept.key[:SHOWN]} collapsed, its network is of little use: {kept.flaw}")
    return load(path)


def description_of(stored: StoredModel) -> DatasetDescription:
    """Return the description of the data that the network was trained on.

    Raises:
        InputError: if the network was trained on data prepared by an older version.
    """
    where = f"trial {stored.key[:SHOWN]!r}"
    if stored.description is None:
        raise InputError(
            f"{where} was trained on a cache that does not tell how images were prepared; remove that cache, "
            "prepare the dataset again, and train again"
        )
    return validate(DatasetDescription, stored.description, where)


def predict_folder(
    stored: StoredModel, folder: ImageFolder, target: Target, device: str, progress: Progress
) -> list[Segmentation]:
    """Segment all images of a folder; nothing is written unless all headers are right.

    Args:
        stored: The network.
        folder: The images.
        target: Where to write.
        device: auto, cpu or cuda.
        progress: Called as cases are done.

    Raises:
        InputError: if images or target are not as they should be.
    """
    description = description_of(stored)
    codes = codes_of_classes(description)
    cases = find_images(folder, description)
    _require_free(target, folder, cases)
    check_images(cases, description)
    segmenter = Segmenter(stored, choose_device(device))
    written = []
    for done, files in enumerate(cases):
        progress(done, len(cases))
        case = read_images(files, description)
        predicted = segmenter.classes(image_slices(case, description))
        source = (case.labels.shape[1], case.labels.shape[2])
        classes = restack(predicted, slice_grid(case, description).size, source)
        path = target.path(files.case)
        write_segmentation(path, classes, files.channels[0], description.slices, codes)
        written.append(Segmentation(files.case, path))
    progress(len(cases), len(cases))
    return written


def _require_free(target: Target, folder: ImageFolder, cases: list[ImageFiles]) -> None:
    """Refuse to write over images, or over anything that may not be replaced."""
    if target.folder.exists() and not target.folder.is_dir():
        raise InputError(f"--out {str(target.folder)!r} is a file; give a folder")
    if target.folder.resolve() == folder.path.resolve():
        raise InputError(f"--out {str(target.folder)!r} is the folder of the images; give another one")
    images = {path.resolve() for files in cases for _, path in files.by_kind}
    for files in cases:
        path = target.path(files.case)
        if path.resolve() in images:
            raise InputError(f"--out: {str(path)!r} is one of the images; give another folder")
        if not target.overwrite and path.exists():
            raise InputError(f"--out: {str(path)!r} is there; give --overwrite or another folder")
