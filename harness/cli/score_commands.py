"""``lossbench score``: score anyone's segmentations."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from harness.cli.data_options import JsonOption, ScoringWorkersOption
from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, progress_bar, stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.cli.scoring import ScoredFolders
    from harness.store.external import StoredScores


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(score)


def score(
    pred: Annotated[Path, typer.Option(help="Folder of predicted label maps (NIfTI).", show_default=False)],
    truth: Annotated[Path, typer.Option(help="Folder of true label maps (NIfTI).", show_default=False)],
    pred_pattern: Annotated[
        str | None,
        typer.Option(
            help="Path of a prediction below its folder, with {case} for the name of the case: "
            "'{case}/pred.nii.gz'; all NIfTI files by name if absent.",
            show_default=False,
        ),
    ] = None,
    truth_pattern: Annotated[
        str | None, typer.Option(help="The same for truths: '{case}/label.nii.gz'.", show_default=False)
    ] = None,
    only: Annotated[
        Path | None,
        typer.Option(help="Text file that names the cases to score, one a line.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            help="Stored code: class, as in a manifest: '1: 1, 2: 1, 255: ignore'; every code is a class if "
            "absent.",
            show_default=False,
        ),
    ] = None,
    pred_labels: Annotated[
        str | None,
        typer.Option(help="The same for predictions, if they have other codes.", show_default=False),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Names: '1: liver, 2: tumour'.", show_default=False)
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(help="Names with commas, or all; the usual ones if absent.", show_default=False),
    ] = None,
    slices: Annotated[
        Literal["axial", "coronal", "sagittal"], typer.Option(help="Plane of metrics that look at slices.")
    ] = "axial",
    ignore_affine: Annotated[
        bool,
        typer.Option(
            "--ignore-affine",
            help="Take a prediction's voxels in the order of the truth's file, whatever its header says.",
        ),
    ] = False,
    patient: Annotated[
        str | None,
        typer.Option(
            help="Regular expression whose first group names a case's patient; every case is one if absent.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write every score to this CSV file.", show_default=False)
    ] = None,
    cases: Annotated[bool, typer.Option("--cases", help="Print a row for every case and class.")] = False,
    study: Annotated[
        str | None,
        typer.Option(help="Keep the scores in the database, in this study.", show_default=False),
    ] = None,
    label: Annotated[
        str | None, typer.Option(help="With --study: name of the network in tables.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="With --study: which training of that network.")] = 0,
    dataset: Annotated[
        str | None,
        typer.Option(
            help="With --study: name of the dataset; that of the study, or of the truth folder, if absent.",
            show_default=False,
        ),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    workers: ScoringWorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score NIfTI predictions against the truth: a table, a CSV file, or beside the trials of a study."""
    from harness.cli.external_scores import Destination, check_destination, keep
    from harness.cli.score_tables import tidy_rows, write_csv
    from harness.cli.scoring import LabelTexts, ScoreRequest, score_folders
    from harness.data.label_folders import LabelFolder
    from harness.data.label_pairs import Grid
    from harness.metrics import METRICS

    shown = _chosen(metrics)
    if out is not None and out.is_dir():
        raise InputError(f"--out {str(out)!r} is a folder; give the name of a CSV file")
    destination = Destination.of(study, label, seed, dataset)
    where = Home(home, db)
    check_destination(destination, where)
    request = ScoreRequest(
        truth=LabelFolder(truth, "truth", truth_pattern),
        prediction=LabelFolder(pred, "pred", pred_pattern),
        only=None if only is None else _lines(only),
        texts=LabelTexts(labels, pred_labels, classes),
        grid=Grid(slices, ignore_affine),
        patient=patient,
        metrics=tuple(METRICS) if destination else shown,
        workers=workers,
    )
    with progress_bar("scoring") as progress:
        scored = score_folders(request, progress)
    stored = None if destination is None else keep(scored, destination, where, truth.resolve().name)
    rows = tidy_rows(scored, shown)
    if out is not None:
        write_csv(out, rows)
    for warning in scored.warnings:
        print_warning(warning)
    if as_json:
        _print_json(scored, shown, rows, stored)
    else:
        _print_tables(scored, shown, cases)
        if out is not None:
            stdout.print(f"scores: {out}", highlight=False, markup=False, soft_wrap=True)
        if stored is not None:
            _print_stored(stored, study, label)


def _chosen(metrics: str | None) -> tuple[str, ...]:
    from harness.cli.scoring import USUAL_METRICS
    from harness.metrics import METRICS

    if metrics is None:
        return tuple(name for name in USUAL_METRICS if name in METRICS)
    if metrics.strip() == "all":
        return tuple(METRICS)
    names = tuple(dict.fromkeys(name.strip() for name in metrics.split(",") if name.strip()))
    if not names:
        raise InputError("--metrics names none; give names with commas, or all")
    for name in names:
        METRICS[name]
    return names


def _lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise InputError(
            f"--only: cannot read {str(path)!r}; give a text file with one case a line"
        ) from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def _print_tables(scored: "ScoredFolders", metrics: tuple[str, ...], cases: bool) -> None:
    from harness.cli.score_tables import case_rows, for_terminal, summary_rows

    if cases:
        print_table(case_rows(scored, metrics), title="cases")
    patients = len({case.patient for case in scored.cases})
    title = f"{len(scored.cases)} cases" + (f", {patients} patients" if patients < len(scored.cases) else "")
    print_table(for_terminal(summary_rows(scored, metrics)), title=title)


def _print_json(
    scored: "ScoredFolders",
    metrics: tuple[str, ...],
    rows: list[dict[str, Any]],
    stored: "StoredScores | None",
) -> None:
    from harness.cli.score_tables import summary_rows

    facts: dict[str, Any] = {
        "cases": len(scored.cases),
        "classes": scored.classes,
        "warnings": scored.warnings,
        "summary": summary_rows(scored, metrics),
        "scores": rows,
    }
    print_json(facts if stored is None else facts | {"stored": vars(stored)})


def _print_stored(stored: "StoredScores", study: str | None, label: str | None) -> None:
    what = "stored" if stored.new else "already stored"
    stdout.print(f"{what} as {label!r} on dataset {stored.dataset!r}", highlight=False, markup=False)
    stdout.print(f"next: lossbench report {study}", highlight=False, markup=False)
