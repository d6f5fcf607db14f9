"""``lossbench db``: look after the results database."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli import db_exchange_commands, db_query_commands, db_trace_commands
from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, stdout
from harness.errors import InputError

app = typer.Typer(no_args_is_help=True)

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]

FAULTY = 1


@app.command()
def upgrade(
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    keep: Annotated[
        bool, typer.Option("--backup/--no-backup", help="Copy it first, to the home folder's backups/.")
    ] = True,
) -> None:
    """Bring an older database to the version of this program, in place.

    It is one transaction: if it fails, the database is as it was.
    """
    from harness.store.database import upgrade_database

    where = Home(home, db)
    done = upgrade_database(where.database_url, where.backups if keep else None)
    before = "" if done.before == done.after else f" (was {done.before or 'empty'})"
    stdout.print(f"database version {done.after}{before}", highlight=False, markup=False)
    if done.backup:
        stdout.print(f"the database as it was: {done.backup}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def info(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None, as_json: JsonOption = False) -> None:
    """Show engine, version, size, studies, and how many rows each table holds."""
    from harness.store.database import open_database
    from harness.store.summaries import row_counts, study_sizes
    from harness.store.versions import SCHEMA_VERSION

    database = open_database(Home(home, db).database_url)
    with database.read() as connection:
        size = database.backend.size(connection)
    facts = {
        "database": database.shown.strip("'"),
        "engine": database.backend.name,
        "version": SCHEMA_VERSION,
        "bytes": size,
    }
    studies, rows = study_sizes(database), row_counts(database)
    if as_json:
        print_json({**facts, "studies": studies, "tables": rows})
        return
    for name, value in facts.items():
        stdout.print(f"{name}: {value}", highlight=False, markup=False, soft_wrap=True)
    for study in studies:
        study["last run"] = f"{study.pop('updated'):%Y-%m-%d %H:%M} UTC"
        del study["title"]
    print_table(studies, title="studies")
    print_table(rows, title="rows")


@app.command()
def check(
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    files: Annotated[
        bool, typer.Option("--files", help="Compare the trials' files with their sha256, too.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read the whole database: pages, references, whole trials, keys. Exit code 1 if anything is wrong."""
    from harness.store.artifacts import wrong_files
    from harness.store.database import open_database
    from harness.store.integrity import faults

    where = Home(home, db)
    database = open_database(where.database_url)
    found = faults(database) + (wrong_files(database, where.artifacts) if files else [])
    if as_json:
        print_json({"faults": found})
    else:
        for fault in found:
            stdout.print(fault, highlight=False, markup=False, soft_wrap=True)
        stdout.print(f"{len(found)} faults" if found else "whole", highlight=False)
    if found:
        raise typer.Exit(FAULTY)


@app.command()
def vacuum(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Give free space back and renew the statistics of the query planner."""
    from harness.store.database import open_database

    database = open_database(Home(home, db).database_url)
    sizes = []
    for step in ("before", "after"):
        if step == "after":
            database.vacuum()
        with database.read() as connection:
            sizes.append(database.backend.size(connection))
    stdout.print(f"{sizes[0]:,} bytes before, {sizes[1]:,} after", highlight=False)


@app.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(help="File to write; below the home folder if absent.", show_default=False),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
) -> None:
    """Write a whole copy, while studies run: a SQLite file, or pg_dump's file for pg_restore.

    Searches are in it; the files of trials (networks, predictions) are not.
    """
    from harness.store.database import backup_name, open_database, write_backup
    from harness.store.versions import SCHEMA_VERSION

    where = Home(home, db)
    database = open_database(where.database_url)
    written = write_backup(database, file or where.backups / backup_name(database.backend, SCHEMA_VERSION))
    stdout.print(
        f"backup: {written} ({written.stat().st_size:,} bytes)", highlight=False, markup=False, soft_wrap=True
    )


@app.command()
def delete(
    study: Annotated[str, typer.Argument(help="Name of a study in the database.", show_default=False)],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Really delete.")] = False,
) -> None:
    """Delete a study: its trials with scores, curves, searches and files.

    Trials that other studies share stay. Datasets go when no trial needs them any more.
    """
    from harness.store.artifacts import delete_files
    from harness.store.database import open_database
    from harness.store.removal import delete_study, planned_removal

    where = Home(home, db)
    database = open_database(where.database_url)
    planned = planned_removal(database, study)
    if not yes:
        raise InputError(
            f"this would delete study {study!r} for ever, with {len(planned.trials)} trials and "
            f"{planned.scores} scores ({planned.shared} trials stay, other studies have them); add --yes"
        )
    removed = delete_study(database, study)
    from harness.tuning.removal import delete_searches

    searches = delete_searches(database, study)
    left = delete_files(where.artifacts, removed.trials)
    stdout.print(
        f"deleted study {study!r}: {len(removed.trials)} trials, {removed.scores} scores, {searches} searches"
        f"; {removed.shared} trials stay, other studies have them",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
    for folder in left:
        print_warning(f"folder {str(folder)!r} cannot be deleted; delete it by hand")


for _more in (db_query_commands, db_trace_commands, db_exchange_commands):
    _more.add_to(app)
