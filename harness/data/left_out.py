"""Cases that a dataset's description leaves out because a class was not annotated there."""

from pathlib import Path

from harness.data.description import DatasetDescription
from harness.data.findings import Finding
from harness.data.layouts.patterns import incomplete_cases


def left_out(folder: Path, description: DatasetDescription) -> list[Finding]:
    """Return a finding for every case that lacks the mask of a class, where ``incomplete`` says ``skip``.

    The other cases are the dataset: these are in no split, no batch and no score.

    Args:
        folder: The dataset's own folder.
        description: The dataset.
    """
    if description.files is None:
        return []
    return [
        Finding(
            "incomplete",
            case,
            f"not annotated (no mask): {', '.join(classes)}",
            "the case is left out; add the mask to use it",
        )
        for case, classes in incomplete_cases(folder, description).items()
    ]
