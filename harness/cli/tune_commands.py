"""``tune``: find parameters and alpha schedules."""

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, print_table
from harness.cli.run_options import (
    STALL_MINUTES,
    AddressOption,
    DeviceOption,
    EventsOption,
    LocalOption,
    QuietOption,
    SlicesOption,
    StallOption,
    TrialsPerGpuOption,
    WorkersOption,
    end_with,
    print_summary,
    trials_per_gpu_of,
)
from harness.cli.study_options import SetOption, StudyArgument

if TYPE_CHECKING:
    from harness.cli.live import Style


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(tune)


def tune(
    study: StudyArgument,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    overrides: SetOption = None,
    spaces: Annotated[
        bool, typer.Option("--spaces", help="Print what would be searched, with which budget, and stop.")
    ] = False,
    results: Annotated[
        bool, typer.Option("--results", help="Print what was found so far, and stop.")
    ] = False,
    local: LocalOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    trials_per_gpu: TrialsPerGpuOption = "1",
    slices: SlicesOption = "auto",
    address: AddressOption = None,
    stall_after: StallOption = STALL_MINUTES,
    quiet: QuietOption = False,
    as_json: EventsOption = False,
) -> None:
    """Tune the losses of a study on validation cases, each with the same budget; no test case is read.

    'lossbench run' does so, too, before it trains the study with what was found.
    """
    from harness.cli.tuning_tables import print_spaces, search_rows
    from harness.store.database import open_database
    from harness.study.spec import load_study
    from harness.tuning.history import load_searches

    where, changes = Home(home, db), tuple(overrides or ())
    declared, _ = load_study(study, changes)
    if spaces:
        print_spaces(declared, as_json)
        return
    summary = None
    if not results:
        from harness.cli.running import RunOptions, run_study

        view: Style = "json" if as_json else "quiet" if quiet else "auto"
        share = trials_per_gpu_of(trials_per_gpu)
        options = RunOptions(
            local,
            workers,
            device,
            share,
            retry_failed=False,
            slices=slices,
            address=address,
            stall_minutes=stall_after,
            view=view,
            only_searches=True,
        )
        summary = run_study(study, changes, where, data, options).summary
    database = open_database(where.database_url)
    rows = search_rows(load_searches(database, declared.study))
    database.close()
    if as_json:
        print_json({"searches": rows} if summary is None else {**vars(summary), "searches": rows})
    else:
        print_table(rows, title=f"searches of {declared.study}")
        if summary is not None:
            print_summary(summary, f"lossbench run {study}")
    if summary is not None:
        end_with(summary)
