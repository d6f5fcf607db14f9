"""Archives that lossbench knows by their tree: their manifest is more than a guess.

A recogniser is a function from a folder and a name to a proposal, or None if the folder is something
else. Register one with ``@ARCHIVES.register``; they are tried in the order of their names.
"""

import io
from collections.abc import Callable, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription, catalogue
from harness.data.layouts import file_problems, list_cases
from harness.data.manifest.proposal import Proposal
from harness.data.manifest.text import header
from harness.errors import InputError
from harness.registry import Registry
from harness.strict_yaml import read, validate

Recogniser = Callable[[Path, str], Proposal | None]

ARCHIVES: Registry[Recogniser] = Registry("archive")

_ANY_DATASET = {"decathlon", "nnunet"}
"""Layouts of many datasets, whose folders tell by their names which one they are."""


@ARCHIVES.register("catalogue")
def recognise_catalogue(folder: Path, name: str) -> Proposal | None:
    """Return the catalogue's own description if the folder holds the archive of one of its layouts."""
    for description in _descriptions():
        named = folder.resolve().name in (description.name, *description.folders)
        if description.layout == "files" or (description.layout in _ANY_DATASET and not named):
            continue
        cases = cases_found(folder, description)
        if any(not file_problems(case, folder) for case in cases):
            return archive_proposal(folder, name, description.name, catalogue_name(folder))
    return None


@cache
def _descriptions() -> tuple[DatasetDescription, ...]:
    return tuple(catalogue().values())


def catalogue_name(folder: Path) -> str | None:
    """Return the catalogue's name for a folder that is called as it expects and holds its cases."""
    for description in _descriptions():
        if folder.resolve().name in (description.name, *description.folders):
            cases = cases_found(folder, description)
            if cases and not any(file_problems(case, folder) for case in cases):
                return description.name
    return None


def cases_found(folder: Path, description: DatasetDescription) -> Sequence[CaseFiles]:
    """Return the cases of a folder, none if it does not fit the description."""
    try:
        return list_cases(folder, description)
    except InputError:
        return ()


def archive_proposal(
    folder: Path, name: str, source: str, known: str | None, doubts: Sequence[str] = ()
) -> Proposal:
    """Return the proposal for an archive whose description is known.

    Args:
        folder: The dataset's folder.
        name: For the manifest.
        source: Name in the catalogue; ``name`` and ``folders`` are replaced, comments stay.
        known: Name in the catalogue, where that describes the folder already.
        doubts: Sentences for the user.

    Raises:
        InputError: if the folder does not fit the description.
    """
    text = _renamed(source, name, folder.resolve().name)
    description = validate(DatasetDescription, read(text, f"{name}.yaml"), f"{name}.yaml")
    cases = list_cases(folder, description)
    broken = [case.case for case in cases if file_problems(case, folder)]
    if broken:
        doubts = (*doubts, f"{len(broken)} of {len(cases)} cases, such as {broken[0]!r}, lack files")
    return Proposal(
        name=name,
        layout=description.layout,
        text="\n".join([*header(doubts), f"# The tree is that of {source!r} in the catalogue.", "", text]),
        patterns={},
        cases=tuple(case.case for case in cases),
        patients=len({case.patient for case in cases}),
        classes=description.classes,
        doubts=tuple(doubts),
        opened=0,
        catalogue=known,
    )


def _renamed(source: str, name: str, folder: str) -> str:
    """Return a file of the catalogue for a dataset of another name and folder; its comments stay."""
    text = (files("harness.data") / "catalogue" / f"{source}.yaml").read_text("utf-8")
    document: Any = read(text, f"{source}.yaml")
    document["name"] = name
    document.pop("folders", None)
    if folder != name:
        document.insert(2, "folders", [folder])
    writer = YAML(typ="rt")
    writer.width = 108
    writer.indent(mapping=2, sequence=4, offset=2)
    stream = io.StringIO()
    writer.dump(document, stream)
    return stream.getvalue()
