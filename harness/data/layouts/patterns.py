"""The layout ``files``: cases found by the patterns of a dataset's manifest.

``{case}`` stands for the name of the case; besides it, ``*`` and ``?`` match within one part of
the path, as in a shell. The label pattern tells which cases there are.
"""

import re
from pathlib import Path, PurePosixPath

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription, FilePatterns
from harness.data.layouts import inside, is_junk, layout
from harness.errors import InputError

_EXPECTS = "files there that match the patterns under 'files' in the dataset's description"
_CASE = "{case}"


@layout("files", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return one case for each file that matches the label pattern.

    Raises:
        InputError: if a case lacks a file or has several for one pattern, a match lies outside
            ``root``, or ``patient`` does not name the patient of a case.
    """
    patterns = description.files
    if patterns is None:
        raise InputError(f"dataset {description.name!r}: the layout 'files' needs patterns; add 'files'")
    where = f"dataset {description.name!r}"
    optional = (patterns.mask,) if patterns.mask else ()
    for pattern in (patterns.label, *patterns.channels, *optional):
        _check(pattern, where)
    cases = []
    for name in _names(root, patterns.label):
        cases.append(
            CaseFiles(
                case=name,
                patient=_patient(name, patterns, where),
                channels=tuple(_one(root, pattern, name, where) for pattern in patterns.channels),
                label=_one(root, patterns.label, name, where),
                mask=_one(root, patterns.mask, name, where) if patterns.mask else None,
            )
        )
    return cases


def _check(pattern: str, where: str) -> None:
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or "**" in pattern:
        raise InputError(
            f"{where}: pattern {pattern!r} must be a path below the dataset's folder without '..' and '**'; "
            "set 'folder' to where the files are"
        )


def _glob(root: Path, pattern: str) -> list[Path]:
    """Match ``*`` and ``?`` only, other characters for themselves; hidden files never."""
    found = root.glob(pattern.replace("[", "[[]"))
    return sorted(path for path in found if path.is_file() and not is_junk(path, root))


def _names(root: Path, pattern: str) -> list[str]:
    """Return what ``{case}`` stands for in each match, without repetition."""
    normal = str(PurePosixPath(pattern))
    before, after = (
        re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in normal.split(_CASE)
    )
    expression = re.compile(f"{before}([^/]+){after}")
    relative = (path.relative_to(root).as_posix() for path in _glob(root, normal.replace(_CASE, "*")))
    matches = (expression.fullmatch(path) for path in relative)
    return sorted({match[1] for match in matches if match})


def _one(root: Path, pattern: str, name: str, where: str) -> Path:
    """Return the only file of case ``name`` for ``pattern``."""
    found = _glob(root, pattern.replace(_CASE, name.replace("*", "[*]").replace("?", "[?]")))
    if len(found) != 1:
        count = f"{len(found)} files match" if found else "no file matches"
        raise InputError(
            f"{where}: case {name!r}: {count} the pattern {pattern!r} in {str(root)!r}; "
            f"{'make the pattern narrower' if found else 'add the file or correct the pattern'}"
        )
    if not inside(found[0], root):
        raise InputError(
            f"{where}: case {name!r}: {str(found[0])!r} links to a file outside {str(root)!r}; "
            "put the file itself there"
        )
    return found[0]


def _patient(name: str, patterns: FilePatterns, where: str) -> str:
    if patterns.patient is None:
        return name
    try:
        match = re.match(patterns.patient, name)
        patient = match[1] if match else None
    except (re.error, IndexError) as error:
        raise InputError(
            f"{where}: 'patient' {patterns.patient!r} is not a regular expression with a group ({error}); "
            r"write for example '(\d+)[LR]'"
        ) from None
    if not patient:
        raise InputError(
            f"{where}: case {name!r} does not start with the 'patient' expression {patterns.patient!r}; "
            "correct the expression so that it names the patient of every case"
        )
    return patient
