"""The data folder: which datasets of the catalogue are there, and are they unpacked right."""

from collections.abc import Iterator
from pathlib import Path

from harness.cli.doctor.base import Finding, Setup, broken_by, check
from harness.data.description import DatasetDescription, catalogue
from harness.data.layouts import file_problems, list_cases
from harness.errors import InputError


@check("data", "storage")
def look(setup: Setup) -> Iterator[Finding]:
    """Look for every dataset of the catalogue; no image is opened."""
    data = setup.data
    if not data.is_dir():
        said = f"no folder {str(data)!r}" if not data.exists() else f"{str(data)!r} is a file"
        yield Finding(said, "warning", "give --data, or train on simulated data: lossbench run quickstart")
        return
    descriptions = catalogue()
    here = {name: each for name, each in descriptions.items() if each.folder_in(data).is_dir()}
    for description in here.values():
        yield judge(description, data)
    if not here:
        mend = "unpack an archive there as docs/data.md shows, or train on simulated data"
        yield Finding(f"no dataset of the catalogue in {str(data)!r}", "warning", mend)
    manifests = sorted(path.name for path in data.glob("*.yaml") if _is_manifest(path))
    if manifests:
        yield Finding(f"manifests: {', '.join(manifests)}")
    absent = [name for name in descriptions if name not in here]
    if here and absent:
        yield Finding(f"not here: {', '.join(absent)}")


def judge(description: DatasetDescription, data: Path) -> Finding:
    """Return whether the files of a dataset are where its layout expects them."""
    folder, name = description.folder_in(data), description.name
    mend = f"run 'lossbench data check {name} --data {data}'"
    try:
        cases = list_cases(folder, description)
    except InputError as error:
        return broken_by(error, mend)
    wrong = [(case.case, problem) for case in cases for problem in file_problems(case, folder)]
    if wrong:
        number = len({case for case, _ in wrong})
        case, problem = wrong[0]
        first = f"case {case!r} {problem.partition('; ')[0]}"
        return Finding(f"{name}: {number} of {len(cases)} cases lack files ({first})", "broken", mend)
    return Finding(f"{name}: {len(cases)} cases, all files there")


def _is_manifest(path: Path) -> bool:
    """Whether a file looks like a manifest: studies lie beside them."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return any(line.startswith("layout:") for line in lines)
