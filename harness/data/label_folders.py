"""Two folders of NIfTI label maps, matched case by case: somebody's predictions and the truth."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.data.description import DatasetDescription, FilePatterns
from harness.data.layouts import is_junk, natural_order
from harness.data.layouts.patterns import find
from harness.errors import InputError, nearest

SUFFIXES = (".nii.gz", ".nii")

_NAMES_SHOWN = 3


@dataclass(frozen=True)
class LabelFiles:
    """The files of one case.

    Attributes:
        case: Its name: what ``{case}`` stands for in the pattern, else the path below the folder
            without its suffix.
        truth: The true label map.
        prediction: The predicted label map, or None where there is none.
    """

    case: str
    truth: Path
    prediction: Path | None


@dataclass(frozen=True)
class LabelFolder:
    """A folder of label maps.

    Attributes:
        path: The folder.
        kind: ``truth`` or ``pred``, the option that names it.
        pattern: Path below the folder in which ``{case}`` stands for the case's name; all NIfTI files
            if absent.
    """

    path: Path
    kind: str
    pattern: str | None = None

    def files(self) -> dict[str, Path]:
        """Return the label map of every case.

        Raises:
            InputError: if there is no such folder, it holds none, or two files have one name.
        """
        if not self.path.is_dir():
            raise InputError(
                f"--{self.kind}: folder {str(self.path)!r} does not exist; give a folder of NIfTI"
            )
        found = self._by_suffix() if self.pattern is None else self._by_pattern(self.pattern)
        if not found:
            wanted = "NIfTI file (.nii, .nii.gz)" if self.pattern is None else f"file like {self.pattern!r}"
            raise InputError(
                f"--{self.kind}: no {wanted} in folder {str(self.path)!r}; give another folder or "
                f"--{self.kind}-pattern"
            )
        return found

    def _by_suffix(self) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for path in sorted(self.path.rglob("*.nii*")):
            suffix = next((each for each in SUFFIXES if path.name.endswith(each)), None)
            if suffix is None or not path.is_file() or is_junk(path, self.path):
                continue
            case = path.relative_to(self.path).as_posix().removesuffix(suffix)
            if case in found:
                raise InputError(
                    f"--{self.kind}: case {case!r} is there twice, {found[case].name!r} and {path.name!r}; "
                    "keep one of them"
                )
            found[case] = path
        return found

    def _by_pattern(self, pattern: str) -> dict[str, Path]:
        option = f"--{self.kind}-pattern"
        if "{case}" not in pattern or not pattern.endswith(SUFFIXES):
            raise InputError(
                f"{option} {pattern!r} must hold '{{case}}', which names the case, and end in .nii or .nii.gz"
            )
        found = {}
        for files in find(self.path, _described(option, pattern)):
            if files.problems:
                raise InputError(f"{option}: case {files.case!r} {files.problems[0]}")
            found[files.case] = files.label
        return found


def match_folders(
    truth: LabelFolder, prediction: LabelFolder, only: Iterable[str] | None = None
) -> list[LabelFiles]:
    """Return one entry for every true label map, cases in natural order.

    A truth without prediction stays, with None for it.

    Args:
        truth: The true label maps.
        prediction: The predicted ones.
        only: Names of the cases that count; all if absent.

    Raises:
        InputError: if a folder holds no label map, no name is in both, a prediction has no truth, or
            ``only`` names a case without truth.
    """
    true, predicted = truth.files(), prediction.files()
    if only is not None:
        wanted = set(only)
        _require_all(wanted, true, truth)
        true = {case: path for case, path in true.items() if case in wanted}
        predicted = {case: path for case, path in predicted.items() if case in wanted}
    if not true.keys() & predicted.keys():
        others = predicted or prediction.files()
        raise InputError(
            f"no prediction in {str(prediction.path)!r} has the name of a truth in {str(truth.path)!r} "
            f"(predictions such as {_some(others)}; truths such as {_some(true)}); rename the files, or give "
            "--pred-pattern and --truth-pattern with '{case}' for the name"
        )
    without = [case for case in predicted if case not in true]
    if without:
        raise InputError(
            f"{len(without)} of {len(predicted)} predictions have no truth in {str(truth.path)!r}: "
            f"{_some(without)}; add their truths or take these predictions away"
        )
    return [LabelFiles(case, true[case], predicted.get(case)) for case in sorted(true, key=natural_order)]


def _require_all(wanted: set[str], true: Mapping[str, Path], folder: LabelFolder) -> None:
    unknown = sorted(wanted - true.keys(), key=natural_order)
    if unknown:
        raise InputError(
            f"--only: case {unknown[0]!r} has no truth in {str(folder.path)!r}{nearest(unknown[0], true)}; "
            "correct the list"
        )
    if not wanted:
        raise InputError("--only: the file names no case; write one name a line")


def _described(option: str, pattern: str) -> DatasetDescription:
    """Wrap a pattern for the layout that knows how patterns are read."""
    return DatasetDescription(
        name=option,
        title="",
        layout="files",
        files=FilePatterns(channels=(pattern,), label=pattern),
        channels=("label",),
        classes={1: "any"},
        labels={0: 0},
        size=(1, 1),
    )


def _some(names: Iterable[str]) -> str:
    ordered = sorted(names, key=natural_order)
    more = len(ordered) - _NAMES_SHOWN
    shown = ", ".join(repr(name) for name in ordered[:_NAMES_SHOWN])
    return f"{shown} and {more} more" if more > 0 else shown
