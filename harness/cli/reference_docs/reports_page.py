"""The page of figures and tables: what each holds, from the function that makes it."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from harness.cli.loss_docs.docstrings import markdown, read_docstring
from harness.cli.markdown import prose, table
from harness.cli.reference_docs.yaml_page import NOTE, joined
from reports.figures import figures_in_order
from reports.tables.registry import tables_in_order

INTRODUCTION = """\
# Figures and tables

Everything that `lossbench report` makes, with the module that makes it. `--only` takes codes and names. The
[guide to reports](../reports.md) says what is written where, [Add a figure](../how-to/add-a-figure.md) how to
write one more.
"""


def page() -> str:
    """Return the page."""
    heading = ("code", "name", "what it holds", "module")
    figures = ((each.code, each.name, each.draw) for each in figures_in_order())
    tables = ((each.code, each.name, each.make) for each in tables_in_order())
    return joined(
        [
            NOTE,
            INTRODUCTION,
            "## Figures",
            table(heading, _rows(figures)),
            "## Tables",
            table(heading, _rows(tables)),
        ]
    )


def _rows(entries: Any) -> Iterator[tuple[str, ...]]:
    for code, name, make in entries:
        yield code, f"`{name}`", _summary(make), f"`{make.__module__}`"


def _summary(make: Callable[..., Any]) -> str:
    """Return what the module of a figure or table says of itself, which is written for readers."""
    module = inspect.getmodule(make)
    return prose(markdown(read_docstring(module.__doc__ if module else "").summary))
