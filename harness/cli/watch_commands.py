"""``status`` and ``logs``: what the database and the log files know of running and finished trials."""

from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, stdout
from harness.cli.study_options import JsonOption

if TYPE_CHECKING:
    from harness.store.database import Database
    from harness.store.watching import Snapshot

TrialArgument = Annotated[
    str, typer.Argument(help="Key of a trial, or its first six characters or more.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (status, logs):
        app.command()(command)


def status(
    study: Annotated[str | None, typer.Argument(help="Only this study.", show_default=False)] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Draw it again until the study is over.")] = False,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks of --watch.")] = 2.0,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the trials by state, what runs, how long it will take, and the reason of each failure.

    Everything comes from the database; the run need not be on this machine.
    """
    from harness.store.database import open_database
    from harness.store.watching import snapshot

    database = open_database(Home(home, db).database_url)
    try:
        if not watch:
            _print_once(database, snapshot(database, study), study, as_json)
            return
        from harness.cli.watching.watch import watch as watch_database

        with suppress(KeyboardInterrupt):
            watch_database(lambda: snapshot(database, study), every, as_json)
    finally:
        database.close()


def logs(
    trial: TrialArgument,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Print what is added until the trial is over.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a trial told: attempts, epochs, what it printed, why it failed."""
    from harness.cli.watching import trial_text
    from harness.store.database import open_database
    from harness.store.watching import trial_head

    where = Home(home, db)
    database = open_database(where.database_url)
    try:
        head = trial_head(database, trial)
        log = trial_text.log_of(where.artifacts, head.key)
        if as_json:
            print_json(trial_text.as_json(head, log))
            return
        for line in trial_text.head_lines(head):
            stdout.print(line, style="bold", highlight=False, markup=False, soft_wrap=True)
        text = (
            trial_text.growing_text(head, log, lambda: trial_head(database, head.key))
            if follow
            else trial_text.whole_text(head, log)
        )
        with suppress(KeyboardInterrupt) if follow else nullcontext():
            for line in text:
                stdout.out(line, highlight=False)
    finally:
        database.close()


def _print_once(database: "Database", found: "Snapshot", study: str | None, as_json: bool) -> None:
    from harness.cli.watching.board import Boards
    from harness.cli.watching.stored import boards
    from harness.cli.watching.watch import facts
    from harness.store.summaries import trial_counts

    shown = boards(found)
    if as_json:
        print_json({"trials": trial_counts(database, study), **facts(found, shown)})
        return
    stdout.print(Boards(shown, fitted=False) if shown else "no trials")
    if found.failures:
        stdout.print()
        print_table(found.failures, title="not done")
