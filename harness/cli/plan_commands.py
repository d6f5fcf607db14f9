"""``plan``: what a study would train and cost."""

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning
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
) -> None:
    """Show what a study would train: done, to run, failed and stale trials, hours, warnings."""
    from harness.cli.planning import plan_rows
    from harness.cli.preparation import check_augmented, prepared_if_there, split_warnings
    from harness.study.plan import check_folds, schedule_warnings
    from harness.study.spec import load_study

    declared, folder = load_study(study, tuple(overrides or ()))
    check_folds(declared, folder)
    where = Home(home, db)
    ready = prepared_if_there(declared, folder, where, data)
    check_augmented(declared, ready)
    rows = plan_rows(declared, folder, where, ready)
    warnings = [*schedule_warnings(declared), *split_warnings(ready)]
    if as_json:
        print_json({"study": declared.study, "cells": rows, "warnings": warnings})
        return
    print_table(rows, title=f"{declared.study}: {declared.title}" if declared.title else declared.study)
    for warning in warnings:
        print_warning(warning)
