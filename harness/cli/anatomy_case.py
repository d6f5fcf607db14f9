"""One slice with an imperfect prediction, for the picture of the losses' gradients."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.cli.home import Home
from harness.data.batches import BatchTable
from harness.data.case import IGNORE, is_photograph
from harness.data.prepared import PreparedCase, PreparedDataset
from harness.errors import InputError, nearest

if TYPE_CHECKING:
    from torch import nn

    from reports.losses.gradients import AnatomyCase

SIMULATED_STUDY = "quickstart"
"""The shipped study whose simulated dataset is used when none is named."""

STEPS = 120
MARGIN = 16
"""Pixels around the place where foreground occurs."""

BATCH, BASE_CHANNELS, LEARNING_RATE, LOSS = 8, 8, 5e-3, "dice + ce"
_SHARE = 0.75
"""Of the slices with foreground, this share is smaller than the one that is chosen."""


_Window: TypeAlias = tuple[slice, slice]
"""Rows and columns."""


@dataclass(frozen=True)
class _Slice:
    """A slice of the dataset, numbered from 0, and its foreground in pixels."""

    case: PreparedCase
    at: int
    area: int


@dataclass(frozen=True)
class _Trained:
    """The network, the pixels per class of what it was trained on, and for how many batches it was."""

    model: "nn.Module"
    class_counts: NDArray[np.int64]
    steps: int


def anatomy_case(
    dataset: str | None,
    case: str | None,
    data: Path,
    home: Home,
    *,
    steps: int = STEPS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> "AnatomyCase":
    """Prepare a dataset, choose a slice, and predict it with a network that is trained for a moment.

    The slice is the one at the third quartile of foreground area, among the slices of the dataset (or
    of ``case``) that have foreground; equal areas go by the dataset's order. The network, ``unet2d`` of
    base 8 (of less depth for slices below 17 pixels), is trained from seed 0 on the CPU with Dice + CE
    (Adam 5e-3, batches of 8 slices) on all *other* patients.

    Args:
        dataset: Catalogue name or path of a manifest; None for the simulated dataset of the quickstart,
            which is simulated if it is not there.
        case: Name of a case, or ``NAME:SLICE`` with the slice counted from 1.
        data: Folder that holds one folder per dataset.
        home: Where prepared and simulated data lies.
        steps: Batches to train on, at least 1.
        progress: Called with (batches done, batches in all).

    Returns:
        The slice with its logits, turned as radiologists look at it.

    Raises:
        InputError: if dataset, case or slice is not there, no slice has foreground, there is no other
            patient, or ``steps`` is below 1.
    """
    if steps < 1:
        raise InputError(f"the network needs at least 1 training step (got {steps})")
    prepared, credit = _prepared(dataset, data, home)
    chosen = _choose(prepared, case)
    window = _window(prepared, chosen)
    trained = _train(prepared, chosen, window, steps, progress)
    return replace(_as_shown(prepared, chosen, window, trained), credit=credit)


def _prepared(dataset: str | None, data: Path, home: Home) -> tuple[PreparedDataset, str]:
    """Return the dataset and whom to credit for it."""
    from harness.cli.preparation import prepare_study
    from harness.cli.prepare_one import prepare_with_progress
    from harness.data.description import describe

    if dataset is None:
        from harness.study.spec import load_study

        return prepare_study(*load_study(SIMULATED_STUDY), home, data)[0].prepared, ""
    description = describe(dataset, Path())
    if not description.folder_in(data).is_dir():
        raise InputError(
            f"dataset {description.name!r} is not in the data folder {str(data)!r} (give it with --data); "
            "without a dataset, a simulated one is drawn"
        )
    prepared = prepare_with_progress(description, data, home)
    simulated = prepared.name.endswith("-sim")
    return prepared, "" if simulated else _credit(description.citation, description.licence)


def _credit(citation: str, licence: str) -> str:
    return ". ".join(" ".join(text.split()).rstrip(".") for text in (citation, licence) if text)


def _choose(prepared: PreparedDataset, wanted: str | None) -> _Slice:
    """Return the slice that was asked for, else the one at the third quartile of foreground area."""
    name, _, number = (wanted or "").partition(":")
    cases = {case.case: case for case in prepared.cases}
    if wanted in cases:  # a name may hold a colon
        name, number = wanted, ""
    if name and name not in cases:
        hint = nearest(name, cases) or f"; known: {', '.join(cases)}"
        raise InputError(f"dataset {prepared.name!r} has no case {name!r}{hint}")
    slices = _slices(prepared, [cases[name]] if name else list(prepared.cases))
    if number:
        numbers = [str(each.at + 1) for each in slices]
        if number not in numbers:
            raise InputError(f"case {name!r} has no slice {number!r}; its slices are 1..{len(slices)}")
        return slices[numbers.index(number)]
    ranked = sorted((each for each in slices if each.area), key=lambda each: each.area)
    if not ranked:
        raise InputError(f"no slice of {name or prepared.name!r} has foreground; choose another case")
    return ranked[int(_SHARE * (len(ranked) - 1))]


def _slices(prepared: PreparedDataset, cases: list[PreparedCase]) -> list[_Slice]:
    found = []
    for case in cases:
        labels = prepared.labels(case)
        areas = ((labels > 0) & (labels != IGNORE)).sum((1, 2))
        found += [_Slice(case, at, int(area)) for at, area in enumerate(areas)]
    return found


def _window(prepared: PreparedDataset, chosen: _Slice) -> _Window:
    """Return where foreground occurs in the dataset, and a margin: elsewhere there is little to learn."""
    found = np.zeros(prepared.labels(chosen.case).shape[1:], dtype=bool)
    for case in prepared.cases:
        labels = prepared.labels(case)
        found |= ((labels > 0) & (labels != IGNORE)).any(0)
    ends = [np.flatnonzero(found.any(axis)) for axis in (1, 0)]
    rows, columns = (slice(max(0, int(end[0]) - MARGIN), int(end[-1]) + 1 + MARGIN) for end in ends)
    return rows, columns


def _train(
    prepared: PreparedDataset,
    chosen: _Slice,
    window: _Window,
    steps: int,
    progress: Callable[[int, int], None],
) -> _Trained:
    """Train on all patients but the chosen one."""
    import torch

    from harness.losses import parse_loss
    from harness.models import build_model

    images, labels = _training_slices(prepared, chosen.case.patient, window)
    loss = parse_loss(LOSS).build(ignore_label=IGNORE if prepared.ignores else None)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        options = {"base_channels": BASE_CHANNELS, "depth": _depth(labels.shape[1:])}
        model = build_model("unet2d", len(prepared.channels), prepared.n_classes, **options)
    model = model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    for done, index in enumerate(_batches(prepared.fingerprint, len(labels), steps), 1):
        z = model(torch.from_numpy(images[index]).contiguous(memory_format=torch.channels_last))
        optimizer.zero_grad(set_to_none=True)
        loss(z, torch.from_numpy(labels[index])).backward()
        optimizer.step()
        progress(done, steps)
    counts = np.bincount(labels[labels != IGNORE], minlength=prepared.n_classes)
    return _Trained(model, counts, steps)


def _depth(size: Sequence[int]) -> int:
    """Return as many downsamplings as leave small images more than one pixel a side, 4 at most."""
    return max(1, min(4, (min(size) - 1).bit_length() - 1))


def _training_slices(
    prepared: PreparedDataset, left_out: str, window: _Window
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return images (n, C, h, w) and labels (n, h, w) of all other patients, where there is foreground."""
    others = [case for case in prepared.cases if case.patient != left_out]
    if not others:
        raise InputError(f"dataset {prepared.name!r} has no patient to train on beside {left_out!r}")
    images = np.concatenate([prepared.images(case)[:, :, window[0], window[1]] for case in others])
    labels = np.concatenate([prepared.labels(case)[:, window[0], window[1]] for case in others])
    there = ((labels > 0) & (labels != IGNORE)).any((1, 2))
    return images[there], labels[there].astype(np.int64)


def _batches(fingerprint: str, n_slices: int, steps: int) -> Iterator[NDArray[np.int64]]:
    """Yield the slices of every batch, in the order that a trial of seed 0 has."""
    table = BatchTable(fingerprint, seed=0, fold=0)
    orders = (table.order(epoch, n_slices) for epoch in count())
    batches = (order[start : start + BATCH] for order in orders for start in range(0, n_slices, BATCH))
    return islice(batches, steps)


def _predict(model: "nn.Module", image: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the logits (C, h, w) of an image (channels, h, w)."""
    import torch

    model.eval()
    with torch.no_grad():
        batch = torch.from_numpy(image[None]).contiguous(memory_format=torch.channels_last)
        logits: NDArray[np.float32] = model(batch)[0].contiguous().numpy()
    return logits


def _as_shown(prepared: PreparedDataset, chosen: _Slice, window: _Window, trained: _Trained) -> "AnatomyCase":
    from reports.losses.gradients import AnatomyCase

    case, at = chosen.case, chosen.at
    image = np.array(prepared.images(case)[at][:, *window])
    whole = prepared.labels(case)[at]
    labels = np.array(whole[window])
    known = labels[(labels > 0) & (labels != IGNORE)]
    class_index = int(np.bincount(known).argmax()) if known.size else 1
    photograph = is_photograph(case.shape, case.spacing)
    patients = len(prepared.patients) - 1
    return AnatomyCase(
        image=_turned(image[0], photograph),
        labels=_turned(labels, photograph),
        logits=_turned(_predict(trained.model, image), photograph),
        spacing=(float(case.spacing[1]), float(case.spacing[2])),
        class_counts=trained.class_counts,
        class_index=class_index,
        class_name=prepared.classes[class_index],
        unit="px" if photograph else "mm",
        title=prepared.title,
        case=_which(case, at) + (", cut to where foreground occurs" if labels.shape < whole.shape else ""),
        prediction=(
            f"U-Net (base {BASE_CHANNELS}) after {trained.steps} steps of Dice + CE on {patients} other "
            f"patients (Adam {LEARNING_RATE:g}, batch {BATCH}, seed 0, slices with foreground)"
        ),
    )


def _which(case: PreparedCase, at: int) -> str:
    return f"case {case.case}" + (f", slice {at + 1} of {case.shape[0]}" if case.shape[0] > 1 else "")


def _turned(array: NDArray[Any], photograph: bool) -> NDArray[Any]:
    """Rows run to anterior and columns to right in the cache; show anterior up and right on the left."""
    return array if photograph else np.ascontiguousarray(array[..., ::-1, ::-1])
