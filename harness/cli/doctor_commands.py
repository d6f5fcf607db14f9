"""``doctor``: what is wrong with this installation, and how to mend it."""

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, stdout, visible
from harness.cli.study_options import JsonOption

if TYPE_CHECKING:
    from harness.cli.doctor import Diagnosis

SOMETHING_BROKEN = 1

MARKS = {"fine": ("✓ fine", "green"), "warning": ("! warning", "yellow"), "broken": ("✗ broken", "red")}
"""Mark and colour of each state; the word serves those who see no colour."""


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(doctor)


def doctor(
    home: HomeOption = DEFAULT_HOME,
    data: DataOption = DEFAULT_DATA,
    db: DatabaseOption = None,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="LOSSBENCH_RAY_ADDRESS",
            help="Look at this running Ray cluster: auto or host:port; none is started then.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Look at Python, torch, GPUs, Ray, database, data, disk and limits, and say how to mend what is wrong.

    Nothing that is written stays. Exit code 1 if something is broken.
    """
    from harness.cli.doctor import Setup, examine, scratch_folder

    scratch = scratch_folder()
    try:
        found = examine(Setup(Home(home, db), data, address, scratch))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    states = [finding.state for each in found for finding in each.findings]
    broken, warnings = states.count("broken"), states.count("warning")
    if as_json:
        print_json({"broken": broken, "warnings": warnings, "findings": _rows(found)})
    else:
        stdout.print(_table(found))
        stdout.print(_verdict(broken, warnings), highlight=False)
    if broken:
        raise typer.Exit(SOMETHING_BROKEN)


def _rows(found: "Sequence[Diagnosis]") -> list[dict[str, Any]]:
    return [
        {
            "check": each.check,
            "state": finding.state,
            "found": finding.found,
            "remedy": finding.remedy,
            "seconds": round(each.seconds, 2),
        }
        for each in found
        for finding in each.findings
    ]


def _table(found: "Sequence[Diagnosis]") -> Table:
    table = Table("", "check", "found", "how to mend it", header_style="bold")
    for each in found:
        for line, finding in enumerate(each.findings):
            mark, colour = MARKS[finding.state]
            name = each.check if line == 0 else ""
            table.add_row(
                Text(mark, colour), name, Text(visible(finding.found)), Text(visible(finding.remedy))
            )
    return table


def _verdict(broken: int, warnings: int) -> str:
    counted = [f"{broken} broken"] if broken else []
    if warnings:
        counted.append(f"{warnings} warning{'s' if warnings > 1 else ''}")
    if broken:
        return f"[bold red]{', '.join(counted)}[/]: mend what is broken before a study runs"
    if warnings:
        return f"[bold yellow]{counted[0]}[/]: studies run"
    return "[bold green]all is fine[/]"
