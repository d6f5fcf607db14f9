"""The generated pages, by their path below the documentation's folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from harness.cli.loss_docs import markdown_page
from harness.cli.reference_docs import command_line, dataset_file, reports_page, study_file
from harness.errors import InputError

PAGES: Mapping[str, Callable[[], str]] = MappingProxyType(
    {
        "losses.md": markdown_page.reference,
        "reference/command-line.md": command_line.page,
        "reference/study-file.md": study_file.page,
        "reference/dataset-file.md": dataset_file.page,
        "reference/figures-and-tables.md": reports_page.page,
    }
)


def write(folder: Path) -> list[Path]:
    """Write the pages that are out of date.

    Returns:
        Those that were written.

    Raises:
        InputError: if there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {str(folder)!r}; give the one that holds the documentation")
    written = []
    for name, page in PAGES.items():
        path, text = folder / name, page()
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            written.append(path)
    return written
