"""Where things lie: results, caches, simulated data, artifacts, reports."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from harness.errors import InputError

HomeOption = Annotated[
    Path,
    typer.Option("--home", envvar="LOSSBENCH_HOME", help="Folder for results, caches and reports."),
]
DataOption = Annotated[
    Path,
    typer.Option("--data", envvar="LOSSBENCH_DATA", help="Folder that holds one folder per dataset."),
]
DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--db",
        envvar="LOSSBENCH_DB",
        help="SQLAlchemy URL of the results database; a file below the home folder if absent.",
        show_default=False,
    ),
]

DEFAULT_HOME = Path("lossbench-home")
DEFAULT_DATA = Path("data")


@dataclass(frozen=True)
class Home:
    """The home folder's layout."""

    root: Path
    url: str | None = None

    @property
    def database_url(self) -> str:
        """URL of the results database."""
        if self.url:
            return self.url
        from harness.store.database import DATABASE_FILE, file_url

        return file_url(self.root / DATABASE_FILE)

    @property
    def prepared(self) -> Path:
        """Prepared datasets."""
        return self.root / "prepared"

    @property
    def simulated(self) -> Path:
        """Simulated archives, one folder per set of options."""
        return self.root / "simulated"

    @property
    def artifacts(self) -> Path:
        """Checkpoints and predictions, one folder per trial."""
        return self.root / "artifacts"

    @property
    def backups(self) -> Path:
        """Copies of the results database."""
        return self.root / "backups"

    def report(self, study: str) -> Path:
        """Folder of a study's report.

        Raises:
            InputError: if the name leads elsewhere, as one in somebody else's database may.
        """
        from harness.store.artifacts import is_folder_name

        if not is_folder_name(study):
            raise InputError(f"study {study!r}: no folder can have this name; give --out")
        return self.root / "reports" / study
