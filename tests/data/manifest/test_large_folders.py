"""Folders of ten thousand files are listed, not opened."""

import os
import time
from pathlib import Path

import pytest

from harness.data.manifest import propose
from tests.data.manifest.trees import blob, colours, disc, nifti, noise, picture


def link_pictures(root: Path, cases: int) -> None:
    """Write one image and one mask under ``cases`` names each."""
    picture(root / "one.png", colours())
    picture(root / "other.png", disc())
    for folder, source in (("images", "one.png"), ("masks", "other.png")):
        (root / folder).mkdir()
        for at in range(cases):
            os.link(root / source, root / folder / f"ISIC_{at:07}.png")
    (root / "one.png").unlink()
    (root / "other.png").unlink()


def test_at_most_forty_files_are_opened(tmp_path):
    link_pictures(tmp_path / "skin", 300)
    proposal = propose(tmp_path / "skin")
    assert len(proposal.cases) == 300
    assert proposal.opened <= 40


def test_many_channels_share_the_forty_files(tmp_path):
    root = tmp_path / "many"
    for case in range(25):
        for channel in range(9):
            nifti(root / f"p{case}" / f"m{channel}.nii.gz", noise((8, 8, 2), seed=case))
        nifti(root / f"p{case}" / "label.nii.gz", blob((8, 8, 2), radius=2))
    proposal = propose(root)
    assert proposal.opened <= 40
    assert any("9 channels" in doubt for doubt in proposal.doubts)


@pytest.mark.full
def test_ten_thousand_files_take_seconds(tmp_path):
    link_pictures(tmp_path / "skin", 5000)
    start = time.process_time()
    proposal = propose(tmp_path / "skin")
    assert time.process_time() - start < 5
    assert len(proposal.cases) == 5000
    assert proposal.opened <= 40
