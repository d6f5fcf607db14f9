"""``lossbench datasets`` and ``studies``: what the catalogues hold."""

from typing import Annotated

import typer

from harness.cli.output import print_json, print_table

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (datasets, studies):
        app.command()(command)


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
