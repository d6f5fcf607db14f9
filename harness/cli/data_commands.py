"""``lossbench data``: prepare and simulate datasets."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.home import DEFAULT_DATA, DEFAULT_HOME, DataOption, Home, HomeOption
from harness.cli.output import print_json, print_table, stdout

app = typer.Typer(no_args_is_help=True)


@app.command()
def prepare(
    dataset: Annotated[
        str, typer.Argument(help="Catalogue name, or the path of a manifest.", show_default=False)
    ],
    data: DataOption = DEFAULT_DATA,
    home: HomeOption = DEFAULT_HOME,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Read, check and cache a dataset; a second call finds the cache."""
    from harness.cli.preparation import prepare_with_progress
    from harness.data.description import describe

    prepared = prepare_with_progress(describe(dataset, Path()), data, Home(home))
    rows = [
        {
            "case": case.case,
            "patient": case.patient,
            "shape": "x".join(map(str, case.shape)),
            "spacing": " x ".join(f"{length:.3g}" for length in case.spacing),
            "foreground %": round(100 * case.foreground_fraction, 3),
        }
        for case in prepared.cases
    ]
    if as_json:
        print_json({"name": prepared.name, "fingerprint": prepared.fingerprint, "cases": rows})
        return
    print_table(rows, title=f"{prepared.name} ({len(rows)} cases), fingerprint {prepared.fingerprint[:16]}")


@app.command()
def simulate(
    name: Annotated[str, typer.Argument(help="Simulator, for example wmh2017.", show_default=False)],
    out: Annotated[Path, typer.Option(help="Folder to create.", show_default=False)],
    cases: Annotated[int, typer.Option(min=1, help="Number of cases.")] = 20,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same images.")] = 0,
    inplane_mm: Annotated[
        float | None,
        typer.Option(help="In-plane voxel size; that of the scanners if absent.", show_default=False),
    ] = None,
    site: Annotated[
        list[str] | None, typer.Option(help="Only this site. Repeatable.", show_default=False)
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
) -> None:
    """Write simulated images in the layout of an official archive."""
    from harness.data.simulate import simulate as write

    folder = write(name, out, cases=cases, seed=seed, workers=workers, inplane_mm=inplane_mm, sites=site)
    stdout.print(f"simulated {cases} cases in {folder}", highlight=False, markup=False, soft_wrap=True)
