"""Arguments and options that commands on studies share."""

from typing import Annotated

import typer

StudyArgument = Annotated[
    str, typer.Argument(help="Name of a shipped study, or a YAML file.", show_default=False)
]
SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", help="Override a value: protocol.epochs=3. Repeatable.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
