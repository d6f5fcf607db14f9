"""``lossbench evaluate``: new metrics for finished trials."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.data_options import ScoringWorkersOption
from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, progress_bar, stdout
from harness.cli.run_options import SOME_FAILED, DeviceOption
from harness.cli.study_options import JsonOption, study_name
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.cli.evaluating import Evaluated


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(evaluate)


def evaluate(
    study: Annotated[
        str, typer.Argument(help="Name of a study in the database, or its YAML file.", show_default=False)
    ],
    metrics: Annotated[
        str | None,
        typer.Option(
            help="Names with commas, or import paths of your own (package.module:NAME); all that are missing "
            "if absent.",
            show_default=False,
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what is missing, and compute nothing.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    device: DeviceOption = "auto",
    workers: ScoringWorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compute metrics that finished trials lack, from the masks and networks they kept; nothing is trained.

    A metric that is new, or whose version was raised, has no scores of earlier trials. Test cases are scored
    from their masks, validation cases with the network; what is there is not changed.
    """
    from harness.cli.evaluating import EvaluateRequest, evaluate_study

    request = EvaluateRequest(study_name(study), _names(metrics), device, workers, dry_run)
    with progress_bar("evaluating") as progress:
        found = evaluate_study(request, Home(home, db), progress)
    for sentence in (*found.notes, *found.problems):
        print_warning(sentence)
    if as_json:
        print_json({"study": request.study, "dry_run": dry_run, **_as_json(found)})
    else:
        _print(found, request.study, dry_run)
    if found.problems:
        raise typer.Exit(SOME_FAILED)


def _names(metrics: str | None) -> tuple[str, ...] | None:
    if metrics is None or metrics.strip() == "all":
        return None
    names = tuple(dict.fromkeys(name.strip() for name in metrics.split(",") if name.strip()))
    if not names:
        raise InputError("--metrics names none; give names with commas, or leave it out for all")
    return names


def _as_json(found: "Evaluated") -> Mapping[str, Any]:
    return {
        "metrics": found.metrics,
        "finished": found.finished,
        "added": found.added,
        "trials": [asdict(trial) for trial in found.trials],
        "notes": found.notes,
    }


def _print(found: "Evaluated", study: str, dry_run: bool) -> None:
    if not found.trials:
        text = f"nothing is missing: {found.finished} finished trials, {len(found.metrics)} metrics"
        stdout.print(text, highlight=False)
        return
    print_table(_cells(found), title="missing scores" if dry_run else "scores")
    if dry_run:
        stdout.print(f"{len(found.trials)} of {found.finished} finished trials lack scores", highlight=False)
        return
    stdout.print(f"{found.added} scores added; nothing was trained", highlight=False)
    if found.added:
        stdout.print(f"next: lossbench report {study}", highlight=False, markup=False)


def _cells(found: "Evaluated") -> list[dict[str, Any]]:
    """Return a row for every loss on every dataset."""
    rows: dict[tuple[str, str, str, str], dict[str, Any]] = {}
    for trial in found.trials:
        test, validation = (", ".join(trial.metrics.get(part, ())) for part in ("test", "validation"))
        place = {"dataset": trial.dataset, "loss": trial.loss, "test": test, "validation": validation}
        counts = {"trials": 0, "added": 0, "problems": 0}
        row = rows.setdefault((trial.dataset, trial.loss, test, validation), place | counts)
        row["trials"] += 1
        row["added"] += trial.added
        row["problems"] += len(trial.problems)
    return list(rows.values())
