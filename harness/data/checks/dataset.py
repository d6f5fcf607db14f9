"""All checks of a dataset as it lies on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.data.case import CaseFiles
from harness.data.checks.across import compare_cases
from harness.data.checks.examine import Examination, examine
from harness.data.description import DatasetDescription
from harness.data.findings import Finding
from harness.data.layouts import file_problems, list_cases
from harness.data.left_out import left_out
from harness.data.parallel import run_each

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class CheckedDataset:
    """What the checks found.

    Attributes:
        folder: Where the dataset lies.
        cases: Number of cases, without those that the description leaves out.
        patients: Number of their patients.
        findings: Errors first, then in the order of the cases.
    """

    folder: Path
    cases: int
    patients: int
    findings: tuple[Finding, ...]


def check_dataset(
    description: DatasetDescription,
    data_root: Path,
    progress: Progress = lambda done, total: None,
    workers: int = 1,
) -> CheckedDataset:
    """Read every case of a dataset and tell everything that is wrong or odd; nothing is written.

    Args:
        description: The dataset.
        data_root: Folder that holds the dataset's folder.
        progress: Called as (cases done, cases in all).
        workers: Cases read at a time, in processes.

    Raises:
        InputError: if there is no such folder, or no case in it.
    """
    folder = description.folder_in(data_root)
    cases = list_cases(folder, description)
    missing = {files.case: _file_findings(files, folder) for files in cases}
    jobs = {number: (files, description) for number, files in enumerate(cases) if not missing[files.case]}
    progress(0, len(cases))
    seen: dict[int, Examination] = {}
    for number, examination in run_each(_examination, jobs, workers):
        seen[number] = examination
        progress(len(cases) - len(jobs) + len(seen), len(cases))
    found = {number: list(examination.findings) for number, examination in seen.items()}
    findings = [
        finding
        for number, files in enumerate(cases)
        for finding in (*missing[files.case], *found.get(number, ()))
    ]
    findings += left_out(folder, description)
    findings += compare_cases([seen[number] for number in sorted(seen)], description)
    findings.sort(key=lambda finding: finding.severity)  # "error" comes before "warning"
    return CheckedDataset(folder, len(cases), len({files.patient for files in cases}), tuple(findings))


def _examination(files: CaseFiles, description: DatasetDescription) -> Examination:
    return examine(files, description)[1]


def _file_findings(files: CaseFiles, folder: Path) -> list[Finding]:
    clauses = (clause.rpartition("; ") for clause in file_problems(files, folder))
    return [Finding("files", files.case, message, remedy) for message, _, remedy in clauses]
