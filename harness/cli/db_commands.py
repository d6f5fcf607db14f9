"""``lossbench db``: look after the results database."""

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_table, stdout

app = typer.Typer(no_args_is_help=True)


@app.command()
def upgrade(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Bring an older database to the version of this program, in place."""
    from harness.store.database import upgrade_database

    before, after = upgrade_database(Home(home, db).database_url)
    stdout.print(f"database version {after}" + ("" if before == after else f" (was {before or 'empty'})"))


@app.command()
def info(home: HomeOption = DEFAULT_HOME, db: DatabaseOption = None) -> None:
    """Show how many rows the database holds."""
    from harness.store.database import open_database
    from harness.store.summaries import row_counts

    print_table(row_counts(open_database(Home(home, db).database_url)))
