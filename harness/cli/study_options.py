"""Arguments and options that commands on studies share."""

from pathlib import Path
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


def study_name(given: str) -> str:
    """Return the name of a study that is given by its name or its file, as ``run`` takes it."""
    path = Path(given)
    if path.suffix not in {".yaml", ".yml"}:
        return given
    if not path.is_file():
        return path.stem
    from harness.strict_yaml import read

    return str(read(path.read_text(), given).get("study", path.stem))
