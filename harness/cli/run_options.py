"""Options and last words that the commands share which train."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from harness.cli.output import stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.scheduling.driver import Summary

SOME_FAILED, PAUSED = 1, 75

STALL_MINUTES = 60.0

LocalOption = Annotated[bool, typer.Option("--local", help="Train in this process, without Ray.")]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        min=1, help="Trials at a time; all CPU cores (or GPU shares) if absent.", show_default=False
    ),
]
DeviceOption = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
TrialsPerGpuOption = Annotated[
    str, typer.Option(help="Trials that share one GPU: a number, or auto to measure.", metavar="N|auto")
]
SlicesOption = Annotated[
    Literal["auto", "memory", "mapped"],
    typer.Option(
        help="Keep training slices in memory, or read each batch from the cache; "
        "auto: in memory if half of what is free is enough."
    ),
]
AddressOption = Annotated[
    str | None,
    typer.Option(
        envvar="LOSSBENCH_RAY_ADDRESS",
        help="HOST:PORT of a running Ray cluster, or auto for the one that this machine belongs to; a "
        "private one if absent.",
        show_default=False,
    ),
]
StallOption = Annotated[
    float,
    typer.Option(min=0.01, help="Minutes without news after which a worker is taken for hung and ended."),
]
UntilDecidedOption = Annotated[
    bool,
    typer.Option(
        "--until-decided",
        help="Train a few seeds of every loss, look at the test scores, drop what is proven inferior and add "
        "seeds where they settle something, until the best is known, cannot be, or --max-seeds are spent. "
        "The levels of all looks add up to the study's alpha.",
    ),
]
MaxSeedsOption = Annotated[
    int | None,
    typer.Option(
        "--max-seeds",
        min=2,
        help="With --until-decided: seeds that a loss gets at most; twice the study's and at least 10 if "
        "absent.",
        show_default=False,
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Tell only warnings and failures.")]
EventsOption = Annotated[
    bool, typer.Option("--json", help="Tell events as JSON lines on stderr, and the summary as JSON.")
]


def trials_per_gpu_of(given: str) -> int | Literal["auto"]:
    """Return the value of ``--trials-per-gpu``.

    Raises:
        InputError: if it is neither a number from 1 on nor ``auto``.
    """
    if given == "auto":
        return "auto"
    if not given.isdecimal() or int(given) < 1:
        raise InputError(f"--trials-per-gpu {given!r}: give a number from 1 on, or auto")
    return int(given)


def print_summary(summary: "Summary", following: str) -> None:
    """Say what was trained, and what comes next once nothing is left."""
    parts = [f"{summary.trained} trials trained", f"{summary.reused} already in the database"]
    if summary.failed:
        parts.append(f"{summary.failed} failed (lossbench status shows why)")
    if summary.left:
        parts.append(f"{summary.left} left; the same command goes on")
    stdout.print("; ".join(parts), highlight=False)
    if not summary.left:
        stdout.print(f"next: {following}", highlight=False)


def end_with(summary: "Summary") -> None:
    """Leave with the exit code that a summary deserves."""
    if summary.failed:
        raise typer.Exit(SOME_FAILED)
    if summary.left:
        raise typer.Exit(PAUSED)
