"""``lossbench bench``: what things cost beside the libraries that people would use instead."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.output import print_json, print_table, stderr, stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.bench.run import Progress as Told

SOME_FAILED = 1


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(bench)


def bench(
    name: Annotated[
        str | None,
        typer.Argument(help="Which benchmark; all if absent (--list shows them).", show_default=False),
    ] = None,
    only: Annotated[
        str | None, typer.Option(help="Only these rows: dice,boundary.", show_default=False)
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Interleaved rounds per row.")] = 9,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 1,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    as_list: Annotated[bool, typer.Option("--list", help="List the benchmarks and their rows.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare times with CE, MONAI, scipy: ratios of interleaved runs in this process.

    A ratio below 1 means that ours is faster: first in CPU time (on a GPU: time between events), then in
    wall time. A row is void where a thing timed against itself does not read 1 within 5 %.
    """
    from harness.bench import BENCHMARKS, BenchOptions, run_benchmark
    from harness.bench.measure import Settings
    from harness.bench.run import machine

    if only is not None and name is None:
        raise InputError(f"--only picks rows of one benchmark; name it: {', '.join(BENCHMARKS)}")
    wanted = tuple(part.strip() for part in only.split(",") if part.strip()) if only else ()
    options = BenchOptions(device, threads, wanted, settings=Settings(rounds=rounds))
    kinds = {key: BENCHMARKS[key] for key in ([name] if name else BENCHMARKS)}
    if as_list:
        listed = {key: (kind.title(), list(kind(options).names())) for key, kind in kinds.items()}
        _print_list(listed, as_json)
        return
    results: list[dict[str, Any]] = []
    failed = False
    for key, kind in kinds.items():
        with _progress(key) as told:
            rows = run_benchmark(key, options, told)
        failed |= any(row.error for row in rows)
        if as_json:
            results.append({"benchmark": key, "title": kind.title(), "rows": [row.to_json() for row in rows]})
        else:
            print_table([row.cells(kind.baselines) for row in rows], title=kind.title())
    about = machine(options)
    if as_json:
        print_json({"machine": about, "rounds": rounds, "device": device, "benchmarks": results})
    else:
        facts = ", ".join(f"{key} {value}" for key, value in about.items())
        stdout.print(f"{facts}; {rounds} rounds", highlight=False, markup=False, soft_wrap=True)
    if failed:
        raise typer.Exit(SOME_FAILED)


def _print_list(found: dict[str, tuple[str, list[str]]], as_json: bool) -> None:
    if as_json:
        print_json([{"benchmark": key, "title": title, "rows": rows} for key, (title, rows) in found.items()])
        return
    print_table(
        [{"benchmark": key, "title": title, "rows": ", ".join(rows)} for key, (title, rows) in found.items()]
    )


@contextmanager
def _progress(name: str) -> Iterator["Told"]:
    """Tell on stderr what is being timed: a bar on a terminal, else a line per row."""
    if not stderr.is_terminal:
        yield lambda done, total, row: stderr.print(
            f"{name} {done + 1}/{total}: {row}", highlight=False, markup=False
        )
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("timing {task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=stderr, transient=True) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total, row: bar.update(task, completed=done, total=total, description=row)
