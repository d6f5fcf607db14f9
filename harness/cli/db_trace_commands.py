"""``lossbench db trace`` and ``rerun``: where a number comes from, and the file that repeats it."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_warning, stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.store.lineage import Lineage
    from harness.study.rerun import Rerun

TrialArgument = Annotated[
    str, typer.Argument(help="Key of a trial, or its first six characters or more.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (trace, rerun):
        app.command()(command)


def trace(
    trial: TrialArgument,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything, as JSON.")] = False,
) -> None:
    """Show the whole chain behind a trial: numbers, key, data, split, command, code, machine, files."""
    from harness.cli.lineage_view import lineage_view

    where = Home(home, db)
    found = _lineage(where, trial, where.artifacts)
    if as_json:
        print_json(asdict(found))
    else:
        stdout.print(lineage_view(found), markup=False, highlight=False)


def rerun(
    trial: TrialArgument,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Study file to write; printed if absent.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the study file.")] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Write the study file that trains a trial again, every setting spelled out."""
    if out is not None:
        _require_free(out, force)
    made = _rerun(_lineage(Home(home, db), trial))
    if made.difference is not None:
        print_warning(made.difference)
    if out is None:
        stdout.out(made.text, end="", highlight=False)
        return
    out.write_text(made.text, encoding="utf-8")
    stdout.print(f"wrote {out}", highlight=False, markup=False, soft_wrap=True)


def _require_free(path: Path, force: bool) -> None:
    if path.suffix not in {".yaml", ".yml"}:
        raise InputError(f"--out {str(path)!r}: a study file's name ends in .yaml; give such a name")
    if not path.parent.is_dir():
        raise InputError(f"--out {str(path)!r}: no folder {str(path.parent)!r}; create it first")
    if path.is_dir():
        raise InputError(f"--out {str(path)!r} is a folder; give the name of a file")
    if path.exists() and not force:
        raise InputError(f"{str(path)!r} exists already; write to another file with --out, or give --force")


def _lineage(where: Home, trial: str, artifacts: Path | None = None) -> "Lineage":
    from harness.store import lineage
    from harness.store.database import open_database

    database = open_database(where.database_url)
    try:
        return lineage.trace(database, trial, artifacts)
    finally:
        database.close()


def _rerun(found: "Lineage") -> "Rerun":
    from harness.store.keys import SHOWN
    from harness.study.rerun import RecordedTrial, rerun

    if found.external:
        raise InputError(
            f"trial {found.key[:SHOWN]!r} was not trained here, its predictions were scored; "
            "only 'lossbench score' can repeat it"
        )
    place = found.place
    return rerun(
        RecordedTrial(
            key=found.key,
            canonical=found.canonical,
            label=place.label if place else found.loss.expression,
            dataset=place.dataset if place else found.dataset.name,
            fingerprint=found.dataset.fingerprint,
            study=found.study,
            text=found.text,
            commit=found.code,
            numerics=found.numerics or "",
        )
    )
