"""Prepare one dataset for a command; torch is not imported for it."""

from pathlib import Path
from typing import TYPE_CHECKING

from harness.cli.data_options import cores
from harness.cli.home import Home
from harness.cli.output import progress_bar
from harness.data.prepare import prepare

if TYPE_CHECKING:
    from harness.data.description import DatasetDescription
    from harness.data.prepared import PreparedDataset


def prepare_with_progress(
    description: "DatasetDescription", data: Path, home: Home, workers: int | None = None
) -> "PreparedDataset":
    """Prepare one dataset, on all cores unless told otherwise, and draw a bar if it takes long."""
    with progress_bar(f"preparing {description.name}") as progress:
        return prepare(description, data, home.prepared, progress, cores(workers))
