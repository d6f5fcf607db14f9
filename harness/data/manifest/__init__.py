"""A first manifest for a folder of images: look at a folder, propose, write YAML.

Names come first: which part of a path is the case, which files are labels, which are channels. Then
at most some forty files are opened, to tell labels from masks and to read codes, sizes and
grids. Everything that was guessed is a comment in the manifest. Nothing is written here: the command
line does that.

The archives that lossbench knows are recognised by functions in
:data:`harness.data.manifest.archives.ARCHIVES`; a module of this folder that registers one is found by
itself.
"""

import pkgutil
import re
import unicodedata
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription
from harness.data.layouts import list_cases
from harness.data.manifest.archives import ARCHIVES, catalogue_name
from harness.data.manifest.proposal import Proposal, look_at
from harness.data.manifest.text import manifest_text
from harness.errors import InputError
from harness.strict_yaml import read, validate

for _found in pkgutil.iter_modules(__path__):
    import_module(f"{__name__}.{_found.name}")

__all__ = ["Proposal", "dataset_name", "propose"]


def propose(folder: Path, name: str | None = None) -> Proposal:
    """Return a first manifest for a folder.

    Args:
        folder: The dataset's own folder.
        name: Of the dataset; from the folder's name if absent.

    Raises:
        InputError: if it is no folder, holds no images or no labels, or a file that is looked into
            cannot be read.
    """
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise InputError(f"{str(folder)!r} {what}; give the folder that holds the dataset's images")
    name = dataset_name(folder) if name is None else name
    for recognise in ARCHIVES.values():
        if (proposal := recognise(folder, name)) is not None:
            return proposal
    return _from_names(folder, name)


def _from_names(folder: Path, name: str) -> Proposal:
    found = look_at(folder, name)
    cases = _cases(folder, name, manifest_text(found))
    known = set(found.cases)
    strays = [case.case for case in cases if case.case not in known]
    if strays:
        raise InputError(
            f"{str(folder)!r}: the label pattern {found.patterns['label'][0]!r} also finds {len(strays)} "
            f"files that are no labels, such as that of {strays[0]!r}; move them to a folder of their own"
        )
    if ambiguous := [f"case {case.case!r} {problem}" for case in cases for problem in case.problems]:
        found = replace(found, doubts=(*found.doubts, f"{len(ambiguous)} times as here: {ambiguous[0]}"))
    return Proposal(
        name=name,
        layout="files",
        text=manifest_text(found),
        patterns=found.patterns,
        cases=found.cases,
        patients=found.patients,
        classes=found.codes.classes,
        doubts=found.doubts,
        opened=found.opened,
        catalogue=catalogue_name(folder),
    )


def _cases(folder: Path, name: str, text: str) -> list[CaseFiles]:
    """Return the cases that a manifest finds."""
    return list_cases(folder, validate(DatasetDescription, read(text, f"{name}.yaml"), f"{name}.yaml"))


def dataset_name(folder: Path) -> str:
    """Return a name for study files from that of a folder: letters, digits and ``_.+-`` only."""
    plain = unicodedata.normalize("NFKD", folder.resolve().name).encode("ascii", "ignore").decode()
    return re.sub(r"[^A-Za-z0-9_.+-]+", "_", plain).strip("_") or "dataset"
