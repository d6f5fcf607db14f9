"""``lossbench datasets`` and ``studies``: what the catalogues hold."""

from typing import Annotated, Any

import typer

from harness.cli.output import print_json, print_table
from harness.errors import InputError, nearest

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


def studies(
    name: Annotated[
        str | None, typer.Argument(help="Print the file of this one: 'lossbench studies NAME > mine.yaml'.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the studies that ship with lossbench, or print the file of one, to be copied."""
    from studies import shipped_studies

    if name is None:
        rows = [_shipped(each) for each in shipped_studies()]
        print_json(rows) if as_json else print_table(rows)
        return
    known = shipped_studies()
    if name not in known:
        hint = nearest(name, known) or f"; shipped: {', '.join(known)}"
        raise InputError(f"no study {name!r} ships with lossbench{hint}")
    text = known[name].read_text(encoding="utf-8")
    print_json({**_shipped(name), "text": text}) if as_json else typer.echo(text, nl=False)


def _shipped(name: str) -> dict[str, Any]:
    """Return what the list says of a study."""
    from harness.study.spec import load_study

    study, _ = load_study(name)
    return {
        "study": name,
        "title": study.title,
        "datasets": ", ".join(entry.dataset for entry in study.dataset_entries),
        "losses": len(study.losses),
        "seeds": study.seeds,
    }
