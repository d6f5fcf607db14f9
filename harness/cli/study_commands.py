"""``run`` and ``report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, stdout
from harness.cli.plan_commands import plan
from harness.cli.study_options import SetOption, StudyArgument
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.cli.live import Style
    from harness.scheduling.driver import Summary

SOME_FAILED, PAUSED = 1, 75

STALL_MINUTES = 60.0


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (run, report):
        app.command()(command)


def run(
    study: StudyArgument,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    local: Annotated[bool, typer.Option("--local", help="Train in this process, without Ray.")] = False,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Trials at a time; all CPU cores (or GPU shares) if absent.", show_default=False
        ),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    trials_per_gpu: Annotated[
        str, typer.Option(help="Trials that share one GPU: a number, or auto to measure.", metavar="N|auto")
    ] = "1",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")] = False,
    slices: Annotated[
        Literal["auto", "memory", "mapped"],
        typer.Option(
            help="Keep training slices in memory, or read each batch from the cache; "
            "auto: in memory if half of what is free is enough."
        ),
    ] = "auto",
    keep_models: Annotated[
        bool,
        typer.Option(help="Keep the reported weights of every trial, for 'lossbench predict'."),
    ] = True,
    address: Annotated[
        str | None,
        typer.Option(
            envvar="LOSSBENCH_RAY_ADDRESS",
            help="HOST:PORT of a running Ray cluster, or auto for the one that this machine belongs to; a "
            "private one if absent.",
            show_default=False,
        ),
    ] = None,
    stall_after: Annotated[
        float,
        typer.Option(min=0.01, help="Minutes without news after which a worker is taken for hung and ended."),
    ] = STALL_MINUTES,
    quiet: Annotated[bool, typer.Option("--quiet", help="Tell only warnings and failures.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Tell events as JSON lines on stderr, and the summary as JSON.")
    ] = False,
) -> None:
    """Train what a study still lacks. The same command goes on after an interruption.

    The first Ctrl-C lets running trials finish their epoch and keeps a checkpoint of each, the second stops
    them now.
    """
    if dry_run:
        plan(study, data, home, db, overrides, as_json, workers, device)
        return
    from harness.cli.running import RunOptions, run_study

    view: Style = "json" if as_json else "quiet" if quiet else "auto"
    share = _trials_per_gpu(trials_per_gpu)
    options = RunOptions(
        local, workers, device, share, retry_failed, slices, keep_models, address, stall_after, view
    )
    summary = run_study(study, tuple(overrides or ()), Home(home, db), data, options)
    if as_json:
        print_json(vars(summary))
    else:
        _print_summary(summary, study)
    if summary.failed:
        raise typer.Exit(SOME_FAILED)
    if summary.left:
        raise typer.Exit(PAUSED)


def report(
    study: Annotated[str, typer.Argument(help="Name of a study in the database.", show_default=False)],
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder to write; below the home folder if absent.", show_default=False),
    ] = None,
    peek: Annotated[
        bool,
        typer.Option(
            "--peek", help="Show test results of an unfinished study; recorded as a look at the test set."
        ),
    ] = False,
) -> None:
    """Write figures, tables and one self-contained report.html for a study."""
    from harness.store.database import open_database
    from reports.build import build_report

    where = Home(home, db)
    database = open_database(where.database_url)
    # A file and its suffix both name a study here, so that run and report take the same argument.
    name = Path(study).stem if study.endswith((".yaml", ".yml")) else study
    written = build_report(
        database, name, out or where.report(name), where.prepared, where.artifacts, peek=peek
    )
    stdout.print(written.summary, highlight=False, markup=False)
    stdout.print(f"report: {written.page}", highlight=False, markup=False, soft_wrap=True)


def _trials_per_gpu(given: str) -> int | Literal["auto"]:
    if given == "auto":
        return "auto"
    if not given.isdecimal() or int(given) < 1:
        raise InputError(f"--trials-per-gpu {given!r}: give a number from 1 on, or auto")
    return int(given)


def _print_summary(summary: "Summary", study: str) -> None:
    parts = [f"{summary.trained} trials trained", f"{summary.reused} already in the database"]
    if summary.failed:
        parts.append(f"{summary.failed} failed (lossbench status shows why)")
    if summary.left:
        parts.append(f"{summary.left} left; the same command goes on")
    stdout.print("; ".join(parts), highlight=False)
    if not summary.left:
        stdout.print(f"next: lossbench report {study}", highlight=False)
