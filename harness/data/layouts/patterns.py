"""The layout ``files``: cases found by the patterns of a dataset's manifest.

``{case}`` stands for the name of the case, wherever it is written in a pattern; besides it, ``*`` and
``?`` match within one part of the path, as in a shell. The label patterns tell which cases there are:
every file that one of them matches is of a case.
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
    """Return one case for each name in a file that matches a label pattern, but those left out.

    Raises:
        InputError: if a pattern leaves the folder, ``patient`` or ``site`` does not name those of a case,
            or every case lacks the mask of a class.
    """
    patterns = _patterns(description)
    left_out = incomplete_cases(root, description)
    names = [name for name in _names(root, patterns) if name not in left_out]
    if left_out and not names:
        case, classes = next(iter(left_out.items()))
        raise InputError(
            f"dataset {description.name!r}: all {len(left_out)} cases in {str(root)!r} lack the mask of a "
            f"class, {case!r} that of {', '.join(classes)}; correct the patterns under 'files.label', or "
            "leave out classes that nobody annotated"
        )
    return [_case(root, name, patterns, f"dataset {description.name!r}") for name in names]


def incomplete_cases(root: Path, description: DatasetDescription) -> dict[str, tuple[str, ...]]:
    """Return the cases that ``incomplete: skip`` leaves out, with the classes that nobody annotated there.

    Args:
        root: The dataset's folder.
        description: A dataset of the layout ``files``.

    Raises:
        InputError: if a pattern leaves the folder.
    """
    patterns = _patterns(description)
    if patterns.incomplete == "refuse" or isinstance(patterns.label, str):
        return {}
    having = {index: set(_named_by(root, pattern)) for index, pattern in patterns.label.items()}
    lacking = {
        name: tuple(description.classes[index] for index in sorted(having) if name not in having[index])
        for name in _names(root, patterns)
    }
    return {name: classes for name, classes in lacking.items() if classes}


def _patterns(description: DatasetDescription) -> FilePatterns:
    patterns, where = description.files, f"dataset {description.name!r}"
    if patterns is None:
        raise InputError(f"{where}: the layout 'files' needs patterns; add 'files'")
    optional = (patterns.mask,) if patterns.mask else ()
    for pattern in (*patterns.labels, *patterns.channels, *optional):
        _check(pattern, where)
    return patterns


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


def _names(root: Path, patterns: FilePatterns) -> list[str]:
    """Return the names of all cases that have a label file."""
    return sorted({name for pattern in patterns.labels for name in _named_by(root, pattern)})


def _named_by(root: Path, pattern: str) -> list[str]:
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
