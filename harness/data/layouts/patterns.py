"""The layout ``files``: cases found by the patterns of a dataset's manifest.

``{case}`` stands for the name of the case, wherever it is written in a pattern; besides it, ``*`` and
``?`` match within one part of the path, as in a shell. The first label pattern tells which cases
there are.
"""

import glob
import re
from pathlib import Path, PurePosixPath

from harness.data.case import CaseFiles
from harness.data.description import DatasetDescription, FilePatterns
from harness.data.layouts import is_junk, layout, named_group
from harness.errors import InputError

_EXPECTS = "files there that match the patterns under 'files' in the dataset's description"
_CASE = "{case}"


@layout("files", _EXPECTS)
def find(root: Path, description: DatasetDescription) -> list[CaseFiles]:
    """Return one case for each file that matches the label pattern.

    Raises:
        InputError: if a pattern leaves the folder, or ``patient`` or ``site`` does not name those of
            a case.
    """
    patterns = description.files
    if patterns is None:
        raise InputError(f"dataset {description.name!r}: the layout 'files' needs patterns; add 'files'")
    where = f"dataset {description.name!r}"
    optional = (patterns.mask,) if patterns.mask else ()
    for pattern in (*patterns.labels, *patterns.channels, *optional):
        _check(pattern, where)
    return [_case(root, name, patterns, where) for name in _names(root, patterns.labels[0])]


def _case(root: Path, name: str, patterns: FilePatterns, where: str) -> CaseFiles:
    problems: list[str] = []
    channels = tuple(_one(root, pattern, name, problems) for pattern in patterns.channels)
    labels = tuple(_one(root, pattern, name, problems) for pattern in patterns.labels)
    return CaseFiles(
        case=name,
        patient=named_group(patterns.patient, name, name, "patient", where) if patterns.patient else name,
        channels=channels,
        label=labels[0],
        mask=_one(root, patterns.mask, name, problems) if patterns.mask else None,
        site=_site(root, labels[0], name, patterns.site, where) if patterns.site else None,
        structures=labels if isinstance(patterns.label, dict) else (),
        problems=tuple(problems),
    )


def _check(pattern: str, where: str) -> None:
    path = PurePosixPath(pattern)
    if path.is_absolute() or ".." in path.parts or "**" in pattern:
        raise InputError(
            f"{where}: pattern {pattern!r} must be a path below the dataset's folder without '..' and '**'; "
            "set 'folders' to where the files are"
        )


def _glob(root: Path, pattern: str, case: str) -> list[Path]:
    """Match ``*`` and ``?`` only, other characters for themselves; hidden files never.

    Args:
        root: Where the pattern starts.
        pattern: With ``{case}``.
        case: What to put there, itself a pattern.
    """
    found = root.glob(pattern.replace("[", "[[]").replace(_CASE, case))
    return sorted(path for path in found if path.is_file() and not is_junk(path, root))


def _names(root: Path, pattern: str) -> list[str]:
    """Return what ``{case}`` stands for in each match, without repetition."""
    normal = str(PurePosixPath(pattern))
    before, *others = (
        re.escape(part).replace(r"\*", "[^/]*").replace(r"\?", "[^/]") for part in normal.split(_CASE)
    )
    expression = re.compile(before + "(?P<case>[^/]+)" + "(?P=case)".join(others))
    relative = (path.relative_to(root).as_posix() for path in _glob(root, normal, "*"))
    matches = (expression.fullmatch(path) for path in relative)
    return sorted({match["case"] for match in matches if match})


def _one(root: Path, pattern: str, name: str, problems: list[str]) -> Path:
    """Return the only file of case ``name`` for ``pattern``; where it should be if there is none.

    What the pattern has wrong is added to ``problems``; a plain path that is missing is seen later.
    """
    found = _glob(root, pattern, glob.escape(name))
    if not found:
        return root / pattern.replace(_CASE, name)
    if len(found) > 1:
        problems.append(
            f"has {len(found)} files that match the pattern {pattern!r} in {str(root)!r}, such as "
            f"{found[0].name!r} and {found[1].name!r}; make the pattern narrower"
        )
    return found[0]


def _site(root: Path, label: Path, name: str, expression: str, where: str) -> str:
    return named_group(f".*?{expression}", label.relative_to(root).as_posix(), name, "site", where)
