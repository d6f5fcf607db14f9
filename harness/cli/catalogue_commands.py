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
    from harness.losses import LOSSES

    if name is not None:
        loss = LOSSES[name]
        if as_json:
            print_json(
                {"name": name, "family": loss.family, "parameters": loss.defaults(), "text": loss.__doc__}
            )
        else:
            stdout.print(inspect.cleandoc(loss.__doc__ or ""), highlight=False, markup=False)
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
    rows.sort(key=lambda row: (row["family"], row["name"]))
    print_json(rows) if as_json else print_table(rows)


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
