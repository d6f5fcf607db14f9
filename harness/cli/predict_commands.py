"""``lossbench predict``: segment images with the network of a trial."""

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.data_options import JsonOption
from harness.cli.home import DEFAULT_HOME, DatabaseOption, Home, HomeOption
from harness.cli.output import print_json, print_table, progress_bar, stdout
from harness.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(predict)


def predict(
    trial: Annotated[
        str | None,
        typer.Argument(
            help="Key of a trial or its beginning, or the path of a model.pt.", show_default=False
        ),
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Folder of images (NIfTI).", show_default=False)] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the segmentations.", show_default=False)
    ] = None,
    channel: Annotated[
        list[str] | None,
        typer.Option(
            help="Path of an image below its folder, with {case} for the name of the case: "
            "'{case}/flair.nii.gz'; once per channel, in the network's order.",
            show_default=False,
        ),
    ] = None,
    mask: Annotated[
        str | None,
        typer.Option(
            help="The same for the mask inside which intensities are normalised, if the network needs it.",
            show_default=False,
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that are there.")] = False,
    device: Annotated[str, typer.Option(help="auto, cpu or cuda.")] = "auto",
    threads: Annotated[
        int, typer.Option(min=1, help="Threads on the CPU; one, as in training, gives the same bits.")
    ] = 1,
    as_list: Annotated[
        bool, typer.Option("--list", help="List the trials that kept their network, and stop.")
    ] = False,
    home: HomeOption = DEFAULT_HOME,
    db: DatabaseOption = None,
    as_json: JsonOption = False,
) -> None:
    """Segment a folder of images with the network of a trial: one NIfTI file per case, on its grid."""
    where = Home(home, db)
    if as_list:
        _print_models(where, as_json)
        return
    if trial is None or images is None or out is None:
        raise InputError("give a trial, --images and --out; 'lossbench predict --list' shows the trials")
    import torch

    from harness.cli.predicting import Target, predict_folder, stored_model
    from harness.data.unlabelled import ImageFolder

    torch.set_num_threads(threads)
    stored = stored_model(trial, where)
    folder = ImageFolder(images, tuple(channel or ()), mask)
    with progress_bar("predicting") as progress:
        written = predict_folder(stored, folder, Target(out, overwrite), device, progress)
    if as_json:
        print_json(
            {
                "trial": stored.key,
                "checkpoint": stored.checkpoint,
                "epoch": stored.epoch,
                "files": [vars(each) for each in written],
            }
        )
        return
    count = f"{len(written)} segmentation{'s' if len(written) > 1 else ''}"
    stdout.print(f"{count} in {out}", highlight=False, markup=False, soft_wrap=True)


def _print_models(home: Home, as_json: bool) -> None:
    from harness.store.database import open_database
    from harness.store.models import kept_models

    rows = kept_models(open_database(home.database_url))
    if as_json:
        print_json(rows)
    elif rows:
        print_table(rows, title="trials that kept their network")
    else:
        stdout.print("no trial has kept its network; run a study with --keep-models", highlight=False)
