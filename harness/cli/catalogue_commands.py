"""``lossbench losses``, ``datasets`` and ``studies``: what the registries hold."""

import inspect
from typing import Annotated

import typer

from harness.cli.output import print_json, print_table, stdout

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (losses, datasets, studies):
        app.command()(command)


def losses(
    name: Annotated[str | None, typer.Argument(help="Explain this loss.", show_default=False)] = None,
    as_json: JsonOption = False,
) -> None:
    """List the losses with parameters, needs and reference, or explain one."""
    from harness.losses import ALIASES, LOSSES, load_entry_points, parse_loss

    load_entry_points()
    if name is not None:
        _explain(name, as_json)
        return
    rows = [
        {
            "family": loss.family,
            "name": key,
            "parameters": ", ".join(f"{option}={value}" for option, value in loss.defaults().items()),
            "needs": ", ".join(sorted(loss.needs)),
            "reference": loss.reference,
        }
        for key, loss in LOSSES.items()
    ]
    rows += [
        {
            "family": "compound",
            "name": key,
            "parameters": f"short for {alias.expression}",
            "needs": ", ".join(sorted(parse_loss(alias.expression).needs)),
            "reference": alias.reference,
        }
        for key, alias in ALIASES.items()
    ]
    rows.sort(key=lambda row: (row["family"], row["name"]))
    print_json(rows) if as_json else print_table(rows)


def _explain(name: str, as_json: bool) -> None:
    """Print what a loss, or the short name of a sum, stands for."""
    from harness.losses import ALIASES, LOSSES

    alias = ALIASES.get(name)
    if alias is not None:
        facts = {"name": name, "family": "compound", "parameters": {}, "text": alias.doc}
        facts |= {"expression": alias.expression, "reference": alias.reference}
        text = f"{name} = {alias.expression}\n\n{alias.doc}\n\nReference: {alias.reference}"
    else:
        loss = LOSSES[name]
        text = inspect.cleandoc(loss.__doc__ or "")
        facts = {"name": name, "family": loss.family, "parameters": loss.defaults(), "text": text}
    print_json(facts) if as_json else stdout.print(text, highlight=False, markup=False)


def datasets(as_json: JsonOption = False) -> None:
    """List the datasets of the catalogue."""
    from harness.data.description import catalogue

    rows = [
        {
            "name": name,
            "title": description.title,
            "layout": description.layout,
            "channels": ", ".join(description.channels),
            "classes": ", ".join(description.classes.values()),
            "licence": description.licence,
        }
        for name, description in catalogue().items()
    ]
    print_json(rows) if as_json else print_table(rows)


def studies(as_json: JsonOption = False) -> None:
    """List the studies that ship with lossbench."""
    from harness.study.spec import load_study
    from studies import shipped_studies

    rows = []
    for name in shipped_studies():
        study, _ = load_study(name)
        rows.append(
            {
                "study": name,
                "title": study.title,
                "datasets": ", ".join(entry.dataset for entry in study.dataset_entries),
                "losses": len(study.losses),
                "seeds": study.seeds,
            }
        )
    print_json(rows) if as_json else print_table(rows)
