"""``lossbench published``: numbers printed in papers, with their sources."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import print_json, print_table, stdout

if TYPE_CHECKING:
    from harness.published import PublishedNumber, Source


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(published)


def published(
    study: Annotated[
        str | None, typer.Option(help="Only the numbers beside this study, such as kervadec2019.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the numbers printed in papers, each with its source."""
    from dataclasses import asdict

    from harness.published import published_numbers

    numbers = published_numbers(study)
    if as_json:
        print_json([asdict(number) for number in numbers])
        return
    print_table([_row(number) for number in numbers])
    for source in dict.fromkeys(number.source for number in numbers):
        stdout.print(_about(source), highlight=False, markup=False, soft_wrap=True)
        own = [number for number in numbers if number.source == source and number.remark]
        for remark in dict.fromkeys(f"  {number.loss}: {number.remark}" for number in own):
            stdout.print(remark, highlight=False, markup=False, soft_wrap=True)


def _row(number: "PublishedNumber") -> dict[str, Any]:
    return {
        "study": number.study,
        "source": number.source.short,
        "dataset": number.printed_dataset,
        "label": number.label,
        "loss": " | ".join(filter(None, [number.loss, number.setting])),
        "ours": number.expression + (f" ({number.variant})" if number.variant else ""),
        "metric": number.metric,
        "printed": number.printed,
        "as ours": "yes" if number.comparable else "no",
    }


def _about(source: "Source") -> str:
    return (
        f"\n{source.short}, {source.table}: {source.citation}, {source.url}\n"
        f"  cases: {source.evaluation}\n"
        f"  metrics: {source.metric_note}\n"
        f"  in parentheses: {source.spread}\n"
        f"  {source.caveat}"
    )
