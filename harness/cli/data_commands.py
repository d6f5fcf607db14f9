"""``lossbench data``: check, prepare, simulate and look at datasets."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from harness.cli.data_init import init
from harness.cli.data_options import DatasetArgument, JsonOption, SetOption, WorkersOption, cores
from harness.cli.data_show import show
from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DataOption, Home, HomeOption
from harness.cli.output import print_json, print_table, print_warning, progress_bar, stdout

if TYPE_CHECKING:
    from harness.data.simulate.targets import Target

BAD_INPUT = 2
MOST_OF_A_CHECK = 5
"""Rows of one check that a table shows unless all are asked for."""

app = typer.Typer(no_args_is_help=True)
app.command()(init)
app.command()(show)


@app.command()
def check(
    dataset: DatasetArgument,
    data: DataOption = DEFAULT_DATA,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    show_all: Annotated[
        bool, typer.Option("--all", help="Every row, also of checks that found many.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Read every case and tell everything that is wrong or odd; exit code 2 if there are errors."""
    from harness.data.checks import check_dataset
    from harness.data.description import describe
    from harness.data.findings import errors_in

    description = describe(dataset, Path(), overrides or ())
    with progress_bar(f"checking {description.name}") as progress:
        checked = check_dataset(description, data, progress, cores(workers))
    errors = len(errors_in(checked.findings))
    rows = [
        {
            "severity": finding.severity,
            "case": finding.case,
            "check": finding.check,
            "finding": finding.message,
            "remedy": finding.remedy,
        }
        for finding in checked.findings
    ]
    counts = {"cases": checked.cases, "patients": checked.patients}
    counts |= {"errors": errors, "warnings": len(rows) - errors}
    if as_json:
        print_json({"dataset": description.name, **counts, "findings": rows})
    else:
        if rows:
            shown = rows if show_all else _shortened(rows)
            print_table(shown, title=f"{description.name}: {checked.folder}")
        stdout.print(f"{description.name}: {_counted(counts)}", highlight=False, markup=False)
    if errors:
        raise typer.Exit(BAD_INPUT)


@app.command()
def prepare(
    dataset: DatasetArgument,
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    overrides: SetOption = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read, check and cache a dataset; a second call finds the cache, an interrupted one goes on."""
    from harness.cli.prepare_one import prepare_with_progress
    from harness.data.description import describe

    prepared = prepare_with_progress(describe(dataset, Path(), overrides or ()), data, Home(home), workers)
    rows = [
        {
            "case": case.case,
            "patient": case.patient,
            "site": case.site,
            "shape": "x".join(map(str, case.shape)),
            "spacing": " x ".join(f"{length:.3g}" for length in case.spacing),
            "foreground %": round(100 * case.foreground_fraction, 3),
        }
        for case in prepared.cases
    ]
    if as_json:
        facts = {"name": prepared.name, "fingerprint": prepared.fingerprint, "warnings": prepared.warnings}
        print_json({**facts, "cases": rows})
        return
    print_table(rows, title=f"{prepared.name} ({len(rows)} cases), fingerprint {prepared.fingerprint[:16]}")
    if prepared.warnings:
        more = len(prepared.warnings) - 1
        rest = f" (and {more} more: lossbench data check {dataset})" if more else ""
        print_warning(f"{prepared.warnings[0]}{rest}")


@app.command()
def simulate(
    name: Annotated[str, typer.Argument(help="Simulator, for example wmh2017.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to create.", show_default=False)],
    cases: Annotated[int, typer.Option(min=1, help="Number of cases (acdc: patients with two frames).")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same images.")] = 0,
    inplane_mm: Annotated[
        float | None,
        typer.Option(help="In-plane voxel size; that of the scanners if absent.", show_default=False),
    ] = None,
    site: Annotated[
        list[str] | None,
        typer.Option(help="Only this site (wmh2017). Repeatable.", show_default=False),
    ] = None,
    workers: WorkersOption = None,
) -> None:
    """Write simulated images in the layout of an official archive."""
    from harness.data.simulate import simulate as write

    with progress_bar(f"simulating {name}") as progress:
        folder = write(
            name,
            out,
            cases=cases,
            seed=seed,
            workers=cores(workers),
            inplane_mm=inplane_mm,
            sites=site,
            progress=progress,
        )
    stdout.print(f"simulated {cases} cases in {folder}", highlight=False, markup=False, soft_wrap=True)


@app.command()
def targets(
    name: Annotated[str, typer.Argument(help="Archive, for example wmh2017.", show_default=False)],
    folder: Annotated[Path, typer.Argument(help="Its folder, real or simulated.", show_default=False)],
    workers: WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure an archive, real or simulated, beside the published numbers that simulators follow."""
    from harness.data.simulate import TARGETS
    from harness.errors import InputError

    measure = TARGETS[name]
    if not folder.is_dir():
        raise InputError(f"folder {str(folder)!r} does not exist; give the folder of a {name} archive")
    found = measure(folder, cores(workers))
    rows = [_target_row(target) for target in found]
    judged = [target for target in found if target.judged and target.measured is not None]
    within = sum(target.within for target in judged)
    if as_json:
        print_json({"archive": name, "judged": len(judged), "within": within, "targets": rows})
        return
    print_table(rows, title=f"{name}: {folder}")
    stdout.print(f"{within} of {len(judged)} judged numbers lie within 25 % of the published ones")


def _target_row(target: "Target") -> dict[str, Any]:
    return {
        "quantity": target.quantity,
        "group": target.group,
        "unit": target.unit,
        "published": target.published,
        "measured": None if target.measured is None else float(f"{target.measured:.4g}"),
        "ratio": None if target.ratio is None else round(target.ratio, 2),
        "result": _result(target),
    }


def _result(target: "Target") -> str:
    if not target.judged:
        return ""
    if target.measured is None:
        return "no such case"
    return "within 25 %" if target.within else "off"


def _shortened(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first findings of every check, and in place of the others how many there are."""
    shown = []
    for check in dict.fromkeys(row["check"] for row in rows):
        found = [row for row in rows if row["check"] == check]
        shown += found[:MOST_OF_A_CHECK]
        if more := found[MOST_OF_A_CHECK:]:
            finding = {"finding": "as above", "remedy": "--all shows them"}
            shown.append(more[0] | finding | {"case": f"{len(more)} more"})
    return shown


def _counted(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {what if number != 1 else what[:-1]}" for what, number in counts.items())
