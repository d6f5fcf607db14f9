"""``status``: what the database knows of running and finished trials."""

from typing import Annotated

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table
from harness.cli.study_options import JsonOption


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(status)


def status(
    study: Annotated[str | None, typer.Argument(help="Only this study.", show_default=False)] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the trials of every study in the database by state, and the reason of each failure."""
    from harness.store.database import open_database
    from harness.store.summaries import failures, trial_counts

    database = open_database(Home(home, db).database_url)
    counts, failed = trial_counts(database, study), failures(database, study)
    if as_json:
        print_json({"trials": counts, "failures": failed})
        return
    print_table(counts, title="trials")
    if failed:
        print_table(failed, title="not done")
