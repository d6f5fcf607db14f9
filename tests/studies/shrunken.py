"""A shipped study, made small by ``--set`` alone: one epoch, one seed, a tiny network, tiny slices."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.study.spec import load_study
from studies import shipped_studies
from tests.conftest import lossbench

HOLDOUT = {"kind": "holdout", "test": 2, "validation": 2}
TINY = {"size": [32, 32], "split": HOLDOUT}

SIMULATED: dict[str, dict[str, Any]] = {
    "isles2018": {
        "simulate": {"cases": 6, "inplane_mm": 8.0},
        "size": [32, 32],
        "split": {"kind": "fixed", "by": "case", "validation": ["case_2", "case_3"]},
    },
    "wmh2017": {
        "simulate": {"cases": 3, "inplane_mm": 6.0, "sites": ["Utrecht"]},
        "size": [32, 32],
        "split": {"kind": "holdout", "test": 1, "validation": 1},
    },
    "acdc": {
        "simulate": {"cases": 3, "inplane_mm": 6.0},
        "resample": {"inplane_mm": 6.0},
        "size": [32, 32],
        "split": {"kind": "holdout", "test": 1, "validation": 1},
    },
}
"""What stands in for the archives, coarse and few; the split of ISLES is by case, as the printed one."""


def shrink(
    name: str, datasets: Sequence[str], labels: Sequence[str] | None = None, **more: object
) -> list[str]:
    """Return the ``--set`` options that make a shipped study small.

    Args:
        name: Of the study.
        datasets: Those of its datasets that are kept.
        labels: Losses that are kept, with nothing asked that needs the others; all if absent.
        more: Further values, by key; ``__`` stands for the dot.
    """
    document = YAML(typ="safe").load(shipped_studies()[name].read_text())
    model = load_study(name)[0].model
    values: dict[str, object] = {
        "protocol.epochs": 1,
        "protocol.batch_size": 4,
        "seeds": 1,
        "model.base_channels": 2,
        "datasets": [{"dataset": each, **SIMULATED.get(each, TINY)} for each in datasets],
    }
    if model.name == "unet2d":
        values["model.depth"] = 2
    if labels is not None:
        kept = [entry for entry in document["losses"] if entry["label"] in labels]
        assert len(kept) == len(labels)
        values |= {"losses": kept, "contrasts": [], "analysis": {}}
    values |= {key.replace("__", "."): value for key, value in more.items()}
    return [word for key, value in values.items() for word in ("--set", f"{key}={json.dumps(value)}")]


def train_and_tabulate(name: str, options: Sequence[str], data: Path, folder: Path) -> str:
    """Run a study and write its report; return its main table as a reader finds it, in Markdown."""
    run = lossbench("run", name, "--local", "--workers", 1, "--data", data, *options, cwd=folder)
    assert run.returncode == 0, run.stderr
    report = lossbench("report", name, "--only", "T1", cwd=folder)
    assert report.returncode == 0, report.stderr
    (table,) = (folder / "lossbench-home").rglob("t1.md")
    return table.read_text()
