"""A study in which every name that a user may choose is hostile to somebody."""

from pathlib import Path

import numpy as np
from ruamel.yaml import YAML

from tests.conftest import write_nifti

LABELS = (
    'it\'s "quoted"; DROP TABLE trial; --',
    "<script>alert(1)</script>",
    "</td></script><img src=x onerror=alert(2)>&amp;",
    "50% of_a #1 $x^2$ {y} ~z \\input{x} `touch pwned` $(touch pwned)",
    "a|b *c* ../../up [link](http://x)",
    "-leading --dash",
    '=cmd("calc")+A1',
    "[bold]rich[/bold] [red]",
    "{0} {label} %s %(x)d {{ 7*7 }} {% raw %}",
    "emoji 🧠 CJK 患者 RTL שלום",
    "tab\there\nand newline",
    "long " + "x" * 240,
    "bell\x07 escape\x1b[31mred \u202eoverride",
    "  blanks  around  ",
    "null",
)
CASES = (
    "p'0",
    'p"1;--',
    "<script>alert(4)<",
    "&amp;",
    "-p=3%_#$",
    "{0}{case}%s",
    "[bold]x[",
    "患者🧠",
    "new\nline\ttab",
    "`touch pwned`$(touch pwned)|*",
    "=cmd()",
    "~^\\input{x}",
    "x" * 120,
    "file",
)
TESTED = (
    "<script>alert(4)<",
    "file",
    "new\nline\ttab",
    "{0}{case}%s",
    "-p=3%_#$",
    "`touch pwned`$(touch pwned)|*",
)
TITLE = "T</title><script>alert(9)</script> \\input{x} & $x$ [red] {0} %s '\"; --"
CLASSES = ("disc <b>&amp;</td> | %s $x$ \\input{x}", "=cmd() 'core' \"q\"")


def write_hostile_study(root: Path) -> None:
    """Write data, manifest and ``tiny.yaml`` below a folder."""
    generator = np.random.default_rng(5)
    size = 28
    columns, rows = np.meshgrid(np.arange(size), np.arange(size), indexing="ij")
    for number, case in enumerate(CASES):
        centre = generator.uniform(9, size - 9, 2)
        label = np.zeros((size, size, 3), np.uint8)
        label[..., :-1] = ((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2 < 25)[..., None]
        label[14:16, 14:16, :] = 2
        for channel in "ab":
            image = (label + generator.normal(0, 0.5, label.shape)).astype(np.float32)
            write_nifti(root / "discs" / "images" / f"{case}_{channel}.nii.gz", image)
        site = f"site'{number % 3}<b>&%s"
        write_nifti(root / "discs" / "labels" / site / f"{case}.nii.gz", label)
    files = {
        "channels": ["images/{case}_a.nii.gz", "images/{case}_b.nii.gz"],
        "label": "labels/*/{case}.nii.gz",
        "site": "(site[^/]*)",
    }
    manifest = {
        "name": "discs",
        "title": "D<script>alert(5)</script> 'x' \"y\"; -- & %s {0} \\input{x} $m$ _u_ [bold]",
        "layout": "files",
        "files": files,
        "channels": ["a<script>alert(6)</script>", "$b_{1}$"],
        "classes": dict(enumerate(CLASSES, 1)),
        "labels": {0: 0, 1: 1, 2: 2},
        "size": [32, 32],
        "split": {"kind": "holdout", "test": list(TESTED), "validation": 2},
        "licence": "<script>alert(7)</script>",
        "citation": "'\"<script>alert(8)</script>",
    }
    study = {
        "study": "tiny",
        "title": TITLE,
        "datasets": ["discs.yaml"],
        "seeds": 2,
        "protocol": {"epochs": 1, "batch_size": 4},
        "model": {"name": "unet2d", "base_channels": 4, "depth": 2},
        "losses": [{"label": label, "loss": "ce"} for label in LABELS] + [{"label": "Dice", "loss": "dice"}],
    }
    yaml = YAML()
    for name, document in (("discs.yaml", manifest), ("tiny.yaml", study)):
        with (root / name).open("w", encoding="utf-8") as stream:
            yaml.dump(document, stream)
