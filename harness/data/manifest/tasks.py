"""Decathlon tasks and raw nnU-Net datasets: their ``dataset.json`` names channels and labels."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import list_cases
from harness.data.layouts.decathlon import decathlon_listing
from harness.data.layouts.nnunet import nnunet_listing, published_folds
from harness.data.manifest.archives import ARCHIVES, catalogue_name
from harness.data.manifest.channels import complete_families, describe_channels
from harness.data.manifest.grid import SplitGuess, choose_grid, choose_split
from harness.data.manifest.labels import Codes, LabelFiles, read_codes
from harness.data.manifest.pairing import Family
from harness.data.manifest.proposal import Finding, Proposal
from harness.data.manifest.sample import Sampler, evenly
from harness.data.manifest.text import manifest_text
from harness.data.manifest.words import NamedFile, Role
from harness.errors import InputError

Target = int | Literal["ignore"]

_LABELS_SAMPLED, _IMAGES_SAMPLED = 20, 3


@ARCHIVES.register("decathlon")
def recognise_decathlon(folder: Path, name: str) -> Proposal | None:
    """Return the proposal for a task of the Decathlon, or a dataset written like one."""
    document = _document(folder)
    if "training" not in document or "modality" not in document or not document.get("labels"):
        return None
    listing = decathlon_listing(folder)
    task = _task(folder, name, "decathlon", listing.channels, listing.labels)
    return _proposal(folder, task, ())


@ARCHIVES.register("nnunet")
def recognise_nnunet(folder: Path, name: str) -> Proposal | None:
    """Return the proposal for a raw dataset of nnU-Net v2, with the folds of ``splits_final.json``.

    Raises:
        InputError: if its files are of a format that is not read.
    """
    if "channel_names" not in _document(folder):
        return None
    listing = nnunet_listing(folder)
    labels = listing.labels | ({} if listing.ignore is None else {listing.ignore: "ignore"})
    doubts = []
    if listing.regions:
        doubts.append(
            f"dataset.json trains overlapping regions ({', '.join(listing.regions)}), which lossbench does "
            "not; here every stored integer is a class of its own"
        )
    task = _task(folder, name, "nnunet", listing.channels, labels, listing.ignore)
    return _proposal(folder, task, doubts)


def _document(folder: Path) -> Mapping[str, Any]:
    """Return ``dataset.json``, empty if there is none or it is no JSON object."""
    try:
        document = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _task(
    folder: Path,
    name: str,
    layout: str,
    channels: Sequence[str],
    names: Mapping[int, str],
    ignore: int | None = None,
) -> DatasetDescription:
    """Return what ``dataset.json`` says as a description, whose size is not known yet."""
    foreground = [code for code in sorted(names) if code not in {0, ignore}]
    targets: dict[int, Target] = {0: 0, **{code: index for index, code in enumerate(foreground, 1)}}
    if ignore is not None:
        targets[ignore] = "ignore"
    if not foreground:
        raise InputError(
            f"{str(folder / 'dataset.json')!r} lists no label beside the background; add it there"
        )
    return DatasetDescription(
        name=name,
        title=folder.resolve().name.replace("_", " "),
        layout=layout,
        channels=tuple(channels),
        classes={index: names[code] for index, code in enumerate(foreground, 1)},
        labels=targets,
        size=(1, 1),
    )


def _proposal(folder: Path, task: DatasetDescription, doubts: Sequence[str]) -> Proposal:
    """Look into some files of a task and write its manifest."""
    files = list_cases(folder, task)
    found = _finding(folder, task, files, doubts)
    return Proposal(
        name=task.name,
        layout=task.layout,
        text=manifest_text(found),
        patterns={},
        cases=found.cases,
        patients=len({case.patient for case in files}),
        classes=task.classes,
        doubts=found.doubts,
        opened=found.opened,
        catalogue=catalogue_name(folder),
    )


def _finding(
    folder: Path, task: DatasetDescription, files: Sequence[CaseFiles], doubts: Sequence[str]
) -> Finding:
    sampler = Sampler(folder)
    label = _family("label", "labelsTr", [(case.case, case.label) for case in files], folder)
    images = [
        _family(
            "image", f"imagesTr, channel {at}", [(case.case, case.channels[at]) for case in files], folder
        )
        for at in range(len(files[0].channels))
    ]
    if not label.files:
        raise InputError(f"{str(folder)!r}: none of the {len(files)} cases has a label; add labelsTr")
    cases = tuple(label.files)
    sampled = evenly(cases, _LABELS_SAMPLED)
    codes, unlisted = _codes(task, read_codes(LabelFiles((label,), None), images, sampler, sampled))
    channels = describe_channels(
        complete_families(images, cases), (label,), None, sampler, evenly(sampled, _IMAGES_SAMPLED)
    )
    grid = choose_grid([sampler.look(label.files[case]) for case in sampled])
    split, told = _split(folder, cases)
    lacking = len(files) - len(cases)
    unlabelled = [f"{lacking} of {len(files)} cases have no label file"] if lacking else []
    return Finding(
        name=task.name,
        title=task.title,
        folder=folder.resolve().name,
        cases=tuple(case.case for case in files),
        labels=LabelFiles((label,), None),
        channels=replace(channels, names=task.channels),
        codes=codes,
        patient=None,
        grid=grid,
        split=split,
        doubts=(*doubts, *channels.doubts, *unlisted, *unlabelled, *grid.doubts, *split.doubts, *told),
        opened=sampler.opened,
        layout=task.layout,
    )


def _family(role: Role, pattern: str, paths: Sequence[tuple[str, Path]], folder: Path) -> Family:
    """Return the files that are there."""
    return Family(
        role,
        pattern,
        {case: _named(path, folder) for case, path in paths if path.is_file()},
    )


def _named(path: Path, folder: Path) -> NamedFile:
    inside = path.relative_to(folder) if path.is_relative_to(folder) else path
    return NamedFile(inside.as_posix(), path.name.split(".")[0], "".join(path.suffixes))


def _codes(task: DatasetDescription, counted: Codes) -> tuple[Codes, list[str]]:
    """Return the codes of ``dataset.json`` with the voxels counted, and what was found beside them."""
    unlisted = sorted(set(counted.voxels) - set(task.labels))
    doubts = [
        f"label files hold the code {code}, which dataset.json does not list: add it under 'labels'"
        for code in unlisted
    ]
    return replace(counted, classes=task.classes, labels=task.labels, named=True), doubts


def _split(folder: Path, cases: Sequence[str]) -> tuple[SplitGuess, list[str]]:
    """Return the folds that nnU-Net wrote if they are there and fit, else a guess."""
    beside = folder.resolve().parent.parent / "nnUNet_preprocessed" / folder.resolve().name
    path = next(
        (
            where / "splits_final.json"
            for where in (beside, folder)
            if (where / "splits_final.json").is_file()
        ),
        None,
    )
    guess = choose_split(len(cases))
    if path is None:
        return guess, []
    folds = published_folds(path)
    tested = [case for fold in folds for case in fold]
    if len(folds) < 2 or set(tested) != set(cases) or len(tested) != len(cases):
        return guess, [f"{path.name} does not test every case of the dataset once; it is not used"]
    return SplitGuess(len(folds), "the folds of nnU-Net's splits_final.json", (), folds), []
