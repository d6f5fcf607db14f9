"""The page of the command line: every command with every argument and option."""

import re
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from typer.main import get_command

from harness.cli.loss_docs.parameters import as_yaml
from harness.cli.main import app
from harness.cli.markdown import anchor, prose, table
from harness.cli.reference_docs.yaml_page import NOTE, joined

INTRODUCTION = """\
# Command line

Every command with every argument and option; `lossbench COMMAND --help` prints the same. When to use which,
the guides say.

* `--home`, `--data` and `--db` say where things lie; `LOSSBENCH_HOME`, `LOSSBENCH_DATA` and `LOSSBENCH_DB` do
  the same.
* Data goes to stdout, progress and warnings to stderr. Every listing has `--json`. `NO_COLOR` turns colours
  off.
* Exit codes: 0 done, 1 some trials failed, 2 bad input, 75 stopped before the end, 130 interrupted.
"""

_WORDS: Mapping[type, str] = MappingProxyType({int: "whole number", float: "number", Path: "path"})

HEADING = ("argument or option", "values", "default", "meaning")


def page() -> str:
    """Return the page."""
    commands = list(_commands(get_command(app), ()))
    index = "\n".join(
        f"* [`{name}`](#{anchor(name)}): {prose(_first_sentence(command))}" for name, command in commands
    )
    return joined([NOTE, INTRODUCTION, index, *(part for each in commands for part in _section(*each))])


def _commands(group: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """Yield every command with its whole name, in the order of ``--help``."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, (*path, name))
        else:
            yield " ".join(("lossbench", *path, name)), command


def _section(name: str, command: Any) -> Iterator[str]:
    yield f"## {name}"
    yield from map(prose, _paragraphs(command))
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    usage = " ".join([name, *map(_usage, arguments), "[OPTIONS]"])
    yield f"```text\n{usage}\n```"
    if command.params:
        yield table(HEADING, map(_row, command.params))


def _row(parameter: Any) -> tuple[str, ...]:
    is_argument = parameter.param_type_name == "argument"
    names = [_usage(parameter).strip("[]")] if is_argument else [*parameter.opts, *parameter.secondary_opts]
    meaning = prose(" ".join((parameter.help or "").split()))
    variable = f" Environment: `{parameter.envvar}`." if parameter.envvar else ""
    return (
        ", ".join(f"`{each}`" for each in names),
        _values(parameter),
        _default(parameter),
        meaning + variable,
    )


def _usage(argument: Any) -> str:
    name = (argument.metavar or argument.name).upper()
    shown = f"{name.strip('[].')}{'...' if argument.nargs == -1 else ''}"
    return shown if argument.required else f"[{shown}]"


def _values(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return "flag"
    kind = parameter.type_descriptor.annotation
    inner = typing.get_args(kind)
    words = _WORDS.get(inner[0] if inner else kind, "text")
    limits = [
        f"{sign} {value:g}"
        for sign, value in ((">=", parameter.min), ("<=", parameter.max))
        if value is not None
    ]
    several = ", repeatable" if parameter.multiple or parameter.nargs == -1 else ""
    return f"{words} {' and '.join(limits)}".strip() + several


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    value = parameter.default
    if value is None or value is False or value == () or callable(value):
        return "none" if not getattr(parameter, "is_flag", False) else "off"
    return f"`{as_yaml(value)}`"


def _paragraphs(command: Any) -> list[str]:
    text = re.split(r"\n\s*\n", (command.help or "").strip())
    return [" ".join(part.split()) for part in text]


def _first_sentence(command: Any) -> str:
    return _paragraphs(command)[0]
