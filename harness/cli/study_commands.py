"""``run``."""

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DatabaseOption, DataOption, Home, HomeOption
from harness.cli.output import print_json, stdout
from harness.cli.plan_commands import plan
from harness.cli.run_options import (
    STALL_MINUTES,
    AddressOption,
    DeviceOption,
    EventsOption,
    LocalOption,
    MaxSeedsOption,
    QuietOption,
    SlicesOption,
    StallOption,
    TrialsPerGpuOption,
    UntilDecidedOption,
    WorkersOption,
    end_with,
    print_summary,
    trials_per_gpu_of,
)
from harness.cli.study_options import SetOption, StudyArgument

if TYPE_CHECKING:
    from harness.cli.live import Style


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(run)


def run(
    study: StudyArgument,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    overrides: SetOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan and stop.")] = False,
    local: LocalOption = False,
    workers: WorkersOption = None,
    device: DeviceOption = "auto",
    trials_per_gpu: TrialsPerGpuOption = "1",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try failed trials again.")] = False,
    slices: SlicesOption = "auto",
    keep_models: Annotated[
        bool,
        typer.Option(help="Keep the reported weights of every trial, for 'lossbench predict'."),
    ] = True,
    address: AddressOption = None,
    stall_after: StallOption = STALL_MINUTES,
    until_decided: UntilDecidedOption = False,
    max_seeds: MaxSeedsOption = None,
    quiet: QuietOption = False,
    as_json: EventsOption = False,
) -> None:
    """Train what a study still lacks. The same command goes on after an interruption.

    The first Ctrl-C lets running trials finish their epoch and keeps a checkpoint of each, the second stops
    them now.
    """
    if dry_run:
        changes, looks = _first_look(study, overrides, max_seeds) if until_decided else (overrides, "")
        plan(study, data, home, db, changes, as_json, workers, device)
        if looks and not as_json:
            stdout.print(looks, highlight=False, markup=False)
        return
    from harness.cli.running import RunOptions, run_study

    view: Style = "json" if as_json else "quiet" if quiet else "auto"
    share = trials_per_gpu_of(trials_per_gpu)
    options = RunOptions(
        local,
        workers,
        device,
        share,
        retry_failed,
        slices,
        keep_models,
        address,
        stall_after,
        view,
        until_decided=until_decided,
        max_seeds=max_seeds,
    )
    result = run_study(study, tuple(overrides or ()), Home(home, db), data, options)
    if as_json:
        stages = {"stages": [each.as_json() for each in result.stages]} if until_decided else {}
        print_json({**vars(result.summary), **stages})
    else:
        for each in result.stages:
            stdout.print(each.sentence, highlight=False, markup=False)
        following = "answer" if until_decided else "report"
        print_summary(result.summary, f"lossbench {following} {study}")
    end_with(result.summary)


def _first_look(study: str, overrides: list[str] | None, max_seeds: int | None) -> tuple[list[str], str]:
    """Return the changes that leave the trials of the first look, and a sentence about all looks."""
    from harness.cli.deciding import describe_looks, looks_of, most_seeds, runs_of
    from harness.study.spec import load_study

    declared, folder = load_study(study, tuple(overrides or ()))
    most = most_seeds(declared, max_seeds)
    first = looks_of(declared, most).seeds[0]
    return [*(overrides or ()), f"seeds={first}"], describe_looks(declared, most, runs_of(declared, folder))
