"""``lossbench losses``: the list, one loss explained, the reference in Markdown, and pictures."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DataOption, Home, HomeOption
from harness.cli.output import print_json, stderr, stdout
from harness.errors import InputError

PICTURES = (".png", ".pdf", ".svg")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_Told: TypeAlias = Callable[[int, int], None]


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(losses)


def _picture(flag: str, what: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar="OUT", help=f"Draw {what} into a .png, .pdf or .svg file.", show_default=False
    )
    return option


def losses(
    name: Annotated[
        str | None,
        typer.Argument(
            help="Explain this loss: a name, a sum such as 'dice + ce', or package.module:Class.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the whole reference as Markdown.")
    ] = False,
    schedules: Annotated[Path | None, _picture("--schedules", "all alpha schedules")] = None,
    family_map: Annotated[Path | None, _picture("--map", "the family tree of the losses")] = None,
    anatomy: Annotated[Path | None, _picture("--anatomy", "the losses' gradients on one slice")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="With --schedules: length of the training; 200 if absent.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(help="With --anatomy: catalogue name or manifest; simulated if absent."),
    ] = None,
    case: Annotated[
        str | None, typer.Option(help="With --anatomy: a case, or CASE:SLICE counted from 1.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option(min=1, help="With --anatomy: training steps of the network; 120 if absent.")
    ] = None,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
) -> None:
    """List the losses by family, explain one, or draw them."""
    asked = {
        "NAME": name,
        "--markdown": as_markdown or None,
        "--schedules": schedules,
        "--map": family_map,
        "--anatomy": anatomy,
    }
    _only_one(asked, as_json)
    _belongs("--schedules", schedules, {"--epochs": epochs})
    _belongs("--anatomy", anatomy, {"--dataset": dataset, "--case": case, "--steps": steps})
    if as_markdown:
        _print_markdown()
    elif schedules is not None:
        _draw_schedules(schedules, epochs)
    elif family_map is not None:
        _draw_map(family_map)
    elif anatomy is not None:
        _draw_anatomy(anatomy, dataset, case, steps, data, Home(home))
    elif name is not None:
        _explain(name, as_json)
    else:
        _list(as_json)


def _only_one(asked: Mapping[str, object], as_json: bool) -> None:
    given = [key for key, value in asked.items() if value is not None]
    if len(given) > 1:
        raise InputError(f"{' and '.join(given)} exclude each other; give one of {', '.join(asked)}")
    if as_json and given and given != ["NAME"]:
        raise InputError(f"--json prints the list or explains NAME; leave it out with {given[0]}")


def _belongs(flag: str, picture: Path | None, options: Mapping[str, object]) -> None:
    stray = [key for key, value in options.items() if value is not None]
    if picture is None and stray:
        raise InputError(f"{stray[0]} goes with {flag} OUT; give that too or leave {stray[0]} out")


def _list(as_json: bool) -> None:
    from harness.cli.loss_docs.entries import all_entries
    from harness.losses import load_entry_points

    load_entry_points()
    entries = all_entries()
    if as_json:
        print_json([entry.to_json() for entry in entries])
        return
    from harness.cli.loss_docs.terminal import overview

    stdout.print(overview(entries))


def _explain(name: str, as_json: bool) -> None:
    from harness.cli.loss_docs.entries import LossEntry, describe_loss, spec_to_json

    found = describe_loss(name)
    if as_json:
        print_json(found.to_json() if isinstance(found, LossEntry) else spec_to_json(found))
        return
    from harness.cli.loss_docs.terminal import explanation, sum_explained

    stdout.print(explanation(found) if isinstance(found, LossEntry) else sum_explained(found))


def _print_markdown() -> None:
    from harness.cli.loss_docs.markdown_page import reference

    typer.echo(reference(), nl=False)


def _draw_schedules(target: Path, epochs: int | None) -> None:
    _check_picture(target)
    from reports.losses.schedules import write_schedules

    if epochs is None:
        write_schedules(target)
    else:
        write_schedules(target, epochs)
    _say_written(target)


def _draw_map(target: Path) -> None:
    _check_picture(target)
    from harness.losses import load_entry_points
    from reports.losses.family_map import write_family_map

    load_entry_points()
    write_family_map(target)
    _say_written(target)


def _draw_anatomy(
    target: Path, dataset: str | None, case: str | None, steps: int | None, data: Path, home: Home
) -> None:
    _check_picture(target)
    from harness.cli.anatomy_case import STEPS, anatomy_case
    from harness.losses import load_entry_points
    from reports.losses.anatomy import write_anatomy

    load_entry_points()
    with _progress() as told:
        shown = anatomy_case(dataset, case, data, home, steps=steps or STEPS, progress=told)
    write_anatomy(target, shown)
    _say_written(target)


def _check_picture(target: Path) -> None:
    """Refuse a name that cannot be written before anything is computed.

    Raises:
        InputError: naming the path and what to do.
    """
    if target.suffix.lower() not in PICTURES:
        raise InputError(
            f"cannot draw into {str(target)!r}; its name must end in one of {', '.join(PICTURES)}"
        )
    if target.is_dir():
        raise InputError(f"{str(target)!r} is a folder; give the name of a file")
    if not target.parent.is_dir():
        raise InputError(f"there is no folder {str(target.parent)!r} for {target.name!r}; make it first")


def _say_written(target: Path) -> None:
    stdout.print(str(target), highlight=False, markup=False, soft_wrap=True, emoji=False)


@contextmanager
def _progress() -> Iterator[_Told]:
    """Show the training steps on stderr, on a terminal only."""
    if not stderr.is_terminal:
        yield lambda done, total: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("training a small network"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
