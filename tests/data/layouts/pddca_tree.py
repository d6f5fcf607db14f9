"""A miniature of PDDCA as its three zips unpack into one folder: NRRD, one mask per organ, some missing."""

from collections.abc import Sequence
from pathlib import Path

import nrrd
import numpy as np

SHAPE = (40, 36, 4)
SPACING = (5.0, 5.0, 3.0)

ORGANS = {
    "Mandible": (slice(10, 30), slice(4, 10)),
    "Parotid_L": (slice(28, 35), slice(12, 20)),
    "Parotid_R": (slice(5, 12), slice(12, 20)),
    "BrainStem": (slice(16, 24), slice(22, 30)),
    "Submandibular_L": (slice(24, 28), slice(9, 13)),
    "Submandibular_R": (slice(12, 16), slice(9, 13)),
    "OpticNerve_L": (slice(23, 26), slice(15, 18)),
    "OpticNerve_R": (slice(14, 17), slice(15, 18)),
    "Chiasm": (slice(18, 22), slice(18, 23)),
}
"""Where an organ lies, (x, y), the same in every slice. Submandibular glands overlap the mandible by one
row, the chiasm the brain stem."""

COMPLETE = ("0522c0001", "0522c0002", "0522c0014", "0522c0125", "0522c0555", "0522c0746")
LACKING = {"0522c0479": ("Mandible",), "0522c0878": ("Submandibular_L", "Submandibular_R")}


def write_pddca(root: Path, cases: Sequence[str] = (*COMPLETE, *LACKING)) -> Path:
    """Write cases by name: CT as signed short, masks as unsigned char, both gzipped and LPS."""
    for case in cases:
        generator = np.random.default_rng(int(case[-4:]))
        image = generator.normal(40, 10, SHAPE)
        image[:3] = -1000
        for number, (organ, (x, y)) in enumerate(ORGANS.items(), 1):
            image[x, y] += 12 * number
            if organ not in LACKING.get(case, ()):
                mask = np.zeros(SHAPE, np.uint8)
                mask[x, y] = 1
                write_nrrd(root / case / "structures" / f"{organ}.nrrd", mask)
        write_nrrd(root / case / "img.nrrd", image.astype(np.int16))
        (root / case / f"Landmarks_{case[-4:]}.fcsv").write_text("# Markups fiducial file version = 4.3\n")
    return root


def write_nrrd(path: Path, array: np.ndarray) -> None:
    """Write an array with the fields that the archive's headers have."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {
        "space": "left-posterior-superior",
        "space directions": np.diag(SPACING),
        "space origin": (-100.0, -90.0, -700.5),
        "kinds": ["domain", "domain", "domain"],
        "encoding": "gzip",
    }
    nrrd.write(str(path), array, header, compression_level=1)
