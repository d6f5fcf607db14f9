"""``lossbench data init``: write a first manifest for a folder of images."""

import os
import re
import shlex
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.output import print_json, print_warning, stdout
from harness.errors import InputError

if TYPE_CHECKING:
    from harness.data.manifest import Proposal

_NAME = re.compile(r"[A-Za-z0-9_.+-]+")


def init(
    folder: Annotated[Path, typer.Argument(help="The dataset's own folder.", show_default=False)],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Manifest to write; NAME.yaml here if absent.", show_default=False),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="Name of the dataset; its folder's if absent.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the manifest.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Look at a folder of images and write a first manifest for it."""
    from harness.data.manifest import dataset_name, propose

    if name is not None and not _NAME.fullmatch(name):
        raise InputError(f"--name {name!r}: use letters, digits and _ . + - only")
    path = out or Path(f"{name or dataset_name(folder)}.yaml")
    _require_free(path, force)
    proposal = propose(folder, name)
    _write_whole(path, proposal.text, force)
    if as_json:
        print_json(_summary(proposal, path))
        return
    _tell(proposal, path, _parent(folder))


def _require_free(path: Path, force: bool) -> None:
    if path.suffix not in {".yaml", ".yml"}:
        raise InputError(f"--out {str(path)!r}: a manifest's name ends in .yaml; give such a name")
    if not path.parent.is_dir():
        raise InputError(f"--out {str(path)!r}: no folder {str(path.parent)!r}; create it first")
    if path.is_dir():
        raise InputError(f"--out {str(path)!r} is a folder; give the name of a file")
    if path.exists() and not force:
        raise InputError(f"{str(path)!r} exists already; write to another file with --out, or give --force")


def _write_whole(path: Path, text: str, force: bool) -> None:
    """Write a file whole or not at all."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(temporary, 0o644)
        _require_free(path, force)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _parent(folder: Path) -> Path:
    return folder.parent if folder.name not in {"", ".."} else folder.resolve().parent


def _summary(proposal: "Proposal", path: Path) -> dict[str, object]:
    return {
        "manifest": str(path),
        "name": proposal.name,
        "layout": proposal.layout,
        "patterns": proposal.patterns,
        "cases": proposal.cases,
        "patients": proposal.patients,
        "classes": proposal.classes,
        "doubts": proposal.doubts,
        "catalogue": proposal.catalogue,
        "files_opened": proposal.opened,
    }


def _tell(proposal: "Proposal", path: Path, parent: Path) -> None:
    def say(line: str) -> None:
        stdout.print(line, highlight=False, markup=False, soft_wrap=True)

    say(
        f"wrote {path}: {len(proposal.cases)} cases of {proposal.patients} patients, layout {proposal.layout}"
    )
    for purpose, patterns in proposal.patterns.items():
        say(f"  {purpose}: {', '.join(patterns)}")
    say(f"  classes: {', '.join(proposal.classes.values())}")
    for doubt in proposal.doubts:
        print_warning(doubt)
    data = shlex.quote(str(parent))
    if proposal.catalogue:
        say(
            f"the catalogue has this dataset already: lossbench data check {proposal.catalogue} --data {data}"
        )
    say(f"next: look at {path}, then: lossbench data check {shlex.quote(str(path))} --data {data}")
