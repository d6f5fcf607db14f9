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
) -> None:
    """Show what a study would train and cost: trials done, to run, failed and stale; hours; memory."""
    from harness.cli.planning import cell_row, plan_cells
    from harness.cli.preparation import check_augmented, prepared_if_there, split_warnings
    from harness.cli.searches import with_schedules_that_are_known
    from harness.store.database import open_if_there
    from harness.study.plan import check_folds, schedule_warnings, transfer_warnings
    from harness.study.spec import load_study
    from harness.training.prediction import choose_device

    declared, folder = load_study(study, tuple(overrides or ()))
    check_folds(declared, folder)
    chosen = choose_device(device).type
    where = Home(home, db)
    ready = prepared_if_there(declared, folder, where, data)
    check_augmented(declared, ready)
    declared, unknown = with_schedules_that_are_known(declared, open_if_there(where.database_url))
    cells = plan_cells(declared, folder, where, ready)

    from harness.cli import forecast

    costs = forecast.known_costs(where, ready, chosen)
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
        print_json({"study": declared.study, "cells": rows, "cost": cost.as_json(), "warnings": warnings})
        return
    print_table(rows, title=f"{declared.study}: {declared.title}" if declared.title else declared.study)
    for sentence in forecast.sentences(cost, 0 if probe else len(unprobed)):
        stdout.print(sentence, highlight=False, markup=False)
    for warning in warnings:
        print_warning(warning)
