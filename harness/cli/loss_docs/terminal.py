"""Losses on a terminal: the list by family, one loss explained, and a sum with its terms."""

import re
from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.cli.loss_docs.docstrings import simple_table
from harness.cli.loss_docs.entries import LossEntry, by_family, study_item
from harness.cli.loss_docs.parameters import as_yaml
from harness.cli.loss_docs.schedules import all_schedules
from harness.losses import LossSpec, needs
from harness.losses.plugins import find_loss

PARTNER = "a term, meant as a part of a sum"
INDENT = 4


def overview(entries: list[LossEntry]) -> RenderableType:
    """Return the list: names on the left, everything else wrapped beside them."""
    width = max(len(entry.name) for entry in entries)
    parts: list[RenderableType] = []
    for family, members in by_family(entries):
        parts += [Text(family, style="bold underline"), Padding(_rows(members, width), (0, 0, 1, 2))]
    parts += [Text("alpha schedules", style="bold underline"), Padding(_schedules(width), (0, 0, 1, 2))]
    parts.append(Text("lossbench losses NAME explains a loss, or a sum: 'dice + 0.5*focal'."))
    return Group(*parts)


def explanation(entry: LossEntry) -> RenderableType:
    """Return everything about one loss or alias."""
    parts: list[RenderableType] = [
        Text.assemble((entry.name, "bold"), f"  ({', '.join(_tags(entry))})"),
        _prose(entry.doc.summary),
    ]
    formula = f"L = {entry.expression}" if entry.expression else entry.doc.formula
    if formula:
        parts += [Text(), Padding(Text(formula, style="cyan"), (0, 0, 0, INDENT))]
    for paragraph in entry.doc.paragraphs:
        parts += [Text(), _prose(paragraph)]
    parts += [Text(), _facts(entry)]
    if entry.parameters:
        parts += [Text(), Text("Parameters", style="bold"), Padding(_parameters(entry), (0, 0, 0, 2))]
    return Group(*parts, Text(), *_study(entry.example))


def sum_explained(spec: LossSpec) -> RenderableType:
    """Return the canonical form of a sum, its terms and what it needs."""
    table = _grid()
    for term in spec.terms:
        family_and_role = [term.family]
        if getattr(find_loss(term.name)[1], "partner", False):
            family_and_role.append(PARTNER)
        settings = ", ".join(f"{key}={as_yaml(value)}" for key, value in term.parameters.items())
        cell = Text("\n").join(
            [Text(", ".join(family_and_role)), Text(settings or "no parameters", style="cyan")]
        )
        table.add_row(Text(f"{term.weight:g} * {term.name}", style="bold"), cell)
    return Group(
        Text(spec.expression, style="bold"),
        Text(),
        Text("Terms", style="bold"),
        Padding(table, (0, 0, 1, 2)),
        _needs_grid(tuple(sorted(spec.needs))),
        Text(),
        *_study(study_item(spec.expression)),
    )


def _rows(members: list[LossEntry], width: int) -> Table:
    table = _grid(width)
    for entry in members:
        lines = [Text(f"= {entry.expression}" if entry.expression else entry.doc.summary)]
        settings = ", ".join(f"{each.name}={each.default_text}" for each in entry.parameters)
        if settings:
            lines.append(Text(settings, style="cyan"))
        tags = [f"needs {', '.join(entry.needs)}"] if entry.needs else []
        tags += [PARTNER] if entry.partner else []
        tags += [entry.kind] if entry.kind == "entry point" else []
        lines += [Text(tag, style="yellow") for tag in tags]
        lines.append(Text(entry.reference, style="dim"))
        table.add_row(Text(entry.name, style="bold"), Text("\n").join(lines))
    return table


def _schedules(width: int) -> Table:
    table = _grid(width)
    for schedule in all_schedules():
        lines = [
            _prose(schedule.summary),
            Text(
                ", ".join(f"{key}={as_yaml(value)}" for key, value in schedule.defaults.items()), style="cyan"
            ),
            *(Text(f"searched: {key} {space}", style="cyan") for key, space in schedule.spaces.items()),
            Text(schedule.reference, style="dim"),
        ]
        table.add_row(Text(schedule.name, style="bold"), Text("\n").join(lines))
    return table


def _facts(entry: LossEntry) -> Table:
    table = _grid()
    rows: list[tuple[str, Iterable[str]]] = [
        ("Reference", [entry.doc.reference or entry.reference]),
        ("Elsewhere", [entry.doc.elsewhere] if entry.doc.elsewhere else []),
        ("Relations", [] if entry.expression else entry.relations_in_words),
        ("Used in", [", ".join(entry.used_in)] if entry.used_in else []),
        ("Class", [entry.source] if entry.source else []),
    ]
    for title, lines in rows:
        text = Text("\n").join(_prose(line) for line in lines)
        if text:
            table.add_row(Text(title, style="bold"), text)
    table.add_row(Text("Needs", style="bold"), _needs_text(entry.needs))
    return table


def _parameters(entry: LossEntry) -> Table:
    table = _grid()
    for each in entry.parameters:
        default = "required" if each.required else f"default {each.default_text}"
        cell = Text(f"{each.type}; {default}", style="cyan")
        if each.space is not None:
            cell.append(f"\nsearched: {each.space_text}")
        if each.description:
            cell.append("\n").append_text(_prose(each.description))
        table.add_row(Text(each.name, style="bold"), cell)
    return table


def _needs_grid(names: tuple[str, ...]) -> Table:
    table = _grid()
    table.add_row(Text("Needs", style="bold"), _needs_text(names))
    return table


def _needs_text(names: tuple[str, ...]) -> Text:
    """Say what each need is, in the words of the room that computes it."""
    if not names:
        return Text("nothing but logits and labels")
    meaning = {row[0].strip("`"): f"{row[1]}: {row[2]}" for row in simple_table(needs.__doc__ or "")[1:]}
    return Text("\n").join(Text(f"{name} {meaning.get(name, '')}".strip()) for name in names)


def _study(item: str) -> list[RenderableType]:
    heading = Text("In a study file, under 'losses':", style="bold")
    return [heading, Padding(Text(item, style="cyan"), (0, 0, 0, INDENT))]


def _tags(entry: LossEntry) -> list[str]:
    tags = [entry.family, *([entry.kind] if entry.kind != "loss" else [])]
    return [*tags, PARTNER] if entry.partner else tags


def _prose(text: str) -> Text:
    """Return wrapped prose; names in backticks stand out where there is colour."""
    prose = Text(text)
    for found in re.finditer(r"`[^`]+`", text):
        prose.stylize("cyan", found.start(), found.end())
    return prose


def _grid(width: int | None = None) -> Table:
    """Return two columns: a name that is never broken, and text that wraps."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, min_width=width)
    table.add_column(overflow="fold")
    return table
