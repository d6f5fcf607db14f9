"""Arguments and options that commands on data share."""

import os
from typing import Annotated

import typer

DatasetArgument = Annotated[
    str, typer.Argument(help="Catalogue name, or the path of a manifest.", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        help="Override a value of the description: labels.2=ignore, split=published. Repeatable.",
        show_default=False,
    ),
]
WorkersOption = Annotated[
    int | None, typer.Option(min=1, help="Processes; all CPU cores if absent.", show_default=False)
]
ScoringWorkersOption = Annotated[
    int | None,
    typer.Option(min=1, help="Processes; as many as the data are worth if absent.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def cores(wanted: int | None) -> int:
    """Return how many processes to use: as many as wanted, else one for each CPU core at hand."""
    return wanted or len(os.sched_getaffinity(0))
