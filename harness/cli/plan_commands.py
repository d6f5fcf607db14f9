"""``plan``: what a study would train and cost."""

from typing import Annotated

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, stdout
from harness.cli.study_options import JsonOption, SetOption, StudyArgument


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(plan)


def plan(
    study: StudyArgument,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    overrides: SetOption = None,
    as_json: JsonOption = False,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Trials at a time; all CPU cores, or GPUs, if absent.", show_default=False),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    probe: Annotated[
        bool, typer.Option("--probe", help="Train some steps of every loss that was never timed here.")
    ] = False,
    power: Annotated[
        bool,
        typer.Option("--power", help="Show instead which differences it can find, and what would find more."),
    ] = False,
    sd: Annotated[
        str | None,
        typer.Option(
            help="With --power, before any pilot: standard deviations case=.05,seed=.01,residual=.03.",
            show_default=False,
        ),
    ] = None,
    patients: Annotated[
        int | None,
        typer.Option(
            min=5, help="With --power: tested patients, instead of the split's.", show_default=False
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="With --power: instead of the study's primary metric.", show_default=False),
    ] = None,
    patient_hours: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="With --power: hours that one more patient costs: the cheapest design.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Show what a study would train and cost: trials done, to run, failed and stale; hours; memory."""
    from harness.cli.plan_power import Wanted, power_of_study, refuse_without_power, stated
    from harness.cli.planning import cell_row, plan_cells
    from harness.cli.power_view import as_json as power_as_json
    from harness.cli.power_view import print_power, short_sentence
    from harness.cli.preparation import check_augmented, prepared_if_there, split_warnings
    from harness.cli.searches import with_schedules_that_are_known
    from harness.store.database import open_if_there
    from harness.study.plan import check_folds, schedule_warnings, transfer_warnings
    from harness.study.spec import load_study
    from harness.training.prediction import choose_device

    if not power:
        refuse_without_power(
            {"--sd": sd, "--patients": patients, "--metric": metric, "--patient-hours": patient_hours}
        )
    declared, folder = load_study(study, tuple(overrides or ()))
    check_folds(declared, folder)
    chosen = choose_device(device).type
    where = Home(home, db)
    ready = prepared_if_there(declared, folder, where, data)
    check_augmented(declared, ready)
    database = open_if_there(where.database_url)
    declared, unknown = with_schedules_that_are_known(declared, database)

    from harness.cli import forecast

    costs = forecast.known_costs(where, ready, chosen)
    wanted = Wanted(metric, patients, None if sd is None else stated(sd), patient_hours)
    powers = power_of_study(declared, ready, database, costs, wanted)
    if power:
        if as_json:
            print_json({"study": declared.study, "power": [power_as_json(each) for each in powers]})
        else:
            print_power(powers)
        return
    cells = plan_cells(declared, folder, where, ready)
    unprobed = forecast.to_probe(cells, costs)
    failed = forecast.add_probes(unprobed, costs, chosen) if probe else []
    cost = forecast.forecast(cells, costs, workers or forecast.default_workers(chosen), chosen)
    rows = [cell_row(cell, costs) for cell in cells]
    there = [each.study_dataset for each in ready if each is not None]
    warnings = [
        *unknown,
        *schedule_warnings(declared),
        *split_warnings(ready),
        *transfer_warnings(declared, there),
        *failed,
        *cost.warnings(),
    ]
    if as_json:
        detects = [told for each in powers if (told := power_as_json(each))["pilot"] is not None]
        print_json(
            {
                "study": declared.study,
                "cells": rows,
                "cost": cost.as_json(),
                "detectable": {each["dataset"]: each.get("detectable") for each in detects},
                "warnings": warnings,
            }
        )
        return
    print_table(rows, title=f"{declared.study}: {declared.title}" if declared.title else declared.study)
    for sentence in forecast.sentences(cost, 0 if probe else len(unprobed)):
        stdout.print(sentence, highlight=False, markup=False)
    for each in powers:
        if line := short_sentence(each):
            stdout.print(line, highlight=False, markup=False)
    for warning in warnings:
        print_warning(warning)
