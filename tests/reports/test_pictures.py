"""What overlays show of a case: its picture in its place, and a view in which structures can be seen."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from harness.data.description import DatasetDescription
from harness.data.prepare import prepare
from reports.figures.pictures import SlicePictures, View, slice_pictures

SIDE = 120


def photograph(
    root: Path, label: NDArray[np.bool_], pixel: float = 1.0
) -> tuple[SlicePictures, NDArray[np.float64]]:
    """Prepare one photograph, brighter where the label is, and return its pictures and its green channel."""
    ramp = np.linspace(0, 90, label.shape[1])[None, :]
    colours = np.zeros((*label.shape, 3), np.uint8)
    colours[..., 0] = 255 * (ramp > 45)
    colours[..., 1] = ramp + 120 * label
    folder = root / "eyes"
    folder.mkdir()
    Image.fromarray(colours).save(folder / "1.png")
    Image.fromarray(label.astype(np.uint8)).save(folder / "1_label.png")
    description = DatasetDescription.model_validate(
        {
            "name": "eyes",
            "title": "Eyes",
            "layout": "files",
            "files": {"channels": ["{case}.png"], "label": "{case}_label.png"},
            "channels": ["red", "green", "blue"],
            "classes": {1: "vessel"},
            "labels": {0: 0, 1: 1},
            "licence": "none",
            "citation": "none",
            "normalise": {"kind": "zscore", "mask": "all"},
            "resample": {"inplane_mm": pixel},
            "size": [SIDE, SIDE],
        }
    )
    prepared = prepare(description, root, root / "caches")
    found = slice_pictures(prepared, prepared.cases[0], {})
    return found, colours[..., 1].astype(float)


def disc(radius: float) -> NDArray[np.bool_]:
    rows, columns = np.mgrid[:SIDE, :SIDE]
    return np.hypot(rows - 70, columns - 40) < radius


def inside(view: View, mask: NDArray[np.bool_]) -> float:
    """Return the share of a mask that a view shows."""
    return float(mask[view.top : view.bottom, view.left : view.right].sum() / mask.sum())


@pytest.mark.parametrize("pixel", [1.0, 3.0])
def test_a_picture_lies_where_its_source_lies_and_is_no_mere_red_channel(
    tmp_path: Path, pixel: float
) -> None:
    found, green = photograph(tmp_path, disc(20), pixel)
    assert found.image.shape == found.truth.shape == green.shape
    dark_red = np.s_[:, : SIDE // 2 - 5]
    assert np.corrcoef(found.image[dark_red].ravel(), green[dark_red].ravel())[0, 1] > 0.9


def test_the_view_of_a_compact_structure_holds_all_of_it_with_its_surroundings(tmp_path: Path) -> None:
    truth = disc(18)
    detail = photograph(tmp_path, truth)[0].detail
    assert inside(detail, truth) == 1
    assert 1.2 * 36 < detail.bottom - detail.top < 2 * 36


def test_thin_structures_are_seen_in_the_square_that_holds_most_of_them(tmp_path: Path) -> None:
    truth = np.zeros((SIDE, SIDE), bool)
    truth[5:115, 60] = True
    truth[::30] = True
    truth[80:84, 90:110] = truth[88:92, 90:110] = True
    found, _ = photograph(tmp_path, truth)
    sides = found.detail.bottom - found.detail.top, found.detail.right - found.detail.left
    assert max(sides) < 0.6 * SIDE
    assert inside(found.detail, truth) >= max(
        inside(View(top, top + sides[0], left, left + sides[1]), truth)
        for top in range(0, SIDE - sides[0], 7)
        for left in range(0, SIDE - sides[1], 7)
    )
