"""Trials on a node that does not see the driver's artifacts folder: scratch folders, and files sent back.

A trial trains in a folder below the node's cache; interrupted, it goes on from there if it comes to
the same node again. The files that its result names go to the driver before the result does.
"""

import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

from harness.errors import InputError
from harness.scheduling.attempt import Ended
from harness.scheduling.executor import Kept
from harness.store.artifacts import is_folder_name
from harness.training.job import Finished, TrainingJob

_SCRATCH = ".sent-back"


def scratch_folder(cache_folder: Path, driver: str, folder: Path) -> Path:
    """Return where a trial trains on a node that does not see its folder.

    Args:
        cache_folder: The node's.
        driver: Tells artifacts folders apart.
        folder: The trial's folder where the driver is.
    """
    return cache_folder / _SCRATCH / driver / folder.name


def is_scratch(folder: Path) -> bool:
    """Whether a job's folder is one from which files are sent back."""
    return folder.parent.parent.name == _SCRATCH


def sending_back(job: Any, events: Iterator[Any]) -> Iterator[Any]:
    """Pass on the events of a training; in a scratch folder, files come before the result that names them.

    The scratch folder is deleted after the result was taken, or when the training is ended early. Closing
    this closes the training.

    Args:
        job: A :class:`TrainingJob`, or whatever else a generator function runs that keeps no files.
        events: What the generator function gave.
    """
    training = cast("Generator[Any, None, None]", events)
    if not (isinstance(job, TrainingJob) and is_scratch(job.folder)):
        with closing(training):
            yield from training
        return
    job.folder.mkdir(parents=True, exist_ok=True)
    finished = False
    try:
        with closing(training):
            for event in training:
                if isinstance(event, Finished):
                    kept = collect(job, event)
                    if kept.files:
                        yield kept
                    finished = True
                yield event
    except Ended:
        finished = True
        raise
    finally:
        if finished:
            discard(job)


def collect(job: TrainingJob, finished: Finished) -> Kept:
    """Read the files that a result names.

    Raises:
        OSError: if one cannot be read.
    """
    return Kept({name: (job.folder / name).read_bytes() for name in finished.artifacts.values()})


def discard(job: TrainingJob) -> None:
    """Delete a job's scratch folder, as far as it can be."""
    shutil.rmtree(job.folder, ignore_errors=True)


def write_kept(folder: Path, kept: Kept) -> None:
    """Write files that a worker sent into the trial's folder; a reader sees each whole or not at all.

    Args:
        folder: The trial's folder where the driver is; made if it is not there.
        kept: The files.

    Raises:
        InputError: if a name leads out of the folder; nothing is written then.
        OSError: if a file cannot be written.
    """
    for name in kept.files:
        if not is_folder_name(name) or "\\" in name:
            raise InputError(
                f"a worker sent a file called {name!r}, which is no plain file name; check that its node is "
                "yours"
            )
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in kept.files.items():
        scratch = folder / f".{name}-{os.getpid()}"  # the user's mask holds for it, not mkstemp's
        try:
            with scratch.open("wb") as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            scratch.replace(folder / name)
        except BaseException:
            scratch.unlink(missing_ok=True)
            raise
