"""What is proposed for a folder, and how it is found for a folder of no known archive."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from harness.data.manifest.channels import Channels, complete_families, describe_channels
from harness.data.manifest.grid import Grid, SplitGuess, choose_grid, choose_split
from harness.data.manifest.labels import Codes, LabelFiles, choose_labels, read_codes
from harness.data.manifest.listing import list_images
from harness.data.manifest.pairing import Pairing, pair
from harness.data.manifest.patients import PatientGuess, guess_patients
from harness.data.manifest.sample import MOST_CODES, Sampler, evenly
from harness.data.manifest.words import NamedFile, with_roles
from harness.errors import InputError

_MOST_OPENED = 40
_LABELS_SAMPLED = 20
_PER_CHANNEL = 3
_CONTENT_GROUPS = 6


@dataclass(frozen=True)
class Proposal:
    """A first manifest.

    Attributes:
        name: Of the dataset.
        layout: Of its files.
        text: The manifest, YAML with comments.
        patterns: What they are for -> patterns; empty for an archive's own layout.
        cases: Names of the cases that it finds.
        patients: How many patients they are of.
        classes: Names by index.
        doubts: What the user should look at, sentences without a full stop.
        opened: How many files were decoded.
        catalogue: Name in the catalogue, where that describes the folder already.
    """

    name: str
    layout: str
    text: str
    patterns: dict[str, tuple[str, ...]]
    cases: tuple[str, ...]
    patients: int
    classes: dict[int, str]
    doubts: tuple[str, ...]
    opened: int
    catalogue: str | None = None


@dataclass(frozen=True)
class Finding:
    """What was found in a folder, ready to be written."""

    name: str
    title: str
    folder: str
    cases: tuple[str, ...]
    labels: LabelFiles
    channels: Channels
    codes: Codes
    patient: PatientGuess | None
    grid: Grid
    split: SplitGuess
    doubts: tuple[str, ...]
    opened: int
    layout: str = "files"

    @property
    def patients(self) -> int:
        """Number of patients."""
        return self.patient.patients if self.patient else len(self.cases)

    @property
    def patterns(self) -> dict[str, tuple[str, ...]]:
        """Patterns by what they are for."""
        found = {
            "channels": tuple(family.pattern for family in self.channels.families),
            "label": tuple(family.pattern for family in self.labels.families),
        }
        return found | ({"mask": (self.labels.mask.pattern,)} if self.labels.mask else {})


def look_at(folder: Path, name: str) -> Finding:
    """Find cases, channels, labels and patients of a folder.

    Args:
        folder: The dataset's folder.
        name: Of the dataset.

    Raises:
        InputError: if there are no images or no labels, they do not go together, or a file that is
            looked into cannot be read.
    """
    sampler = Sampler(folder)
    files = with_roles(list_images(folder))
    by_content = not any(file.role == "label" for file in files)
    if by_content:
        files = _roles_by_content(files, sampler)
    pairing = pair(files)
    if pairing is None:
        raise InputError(
            f"{str(folder)!r}: no label file, such as {_first(files, 'label')!r}, has a part of its name in "
            "common with an image; name image and label of a case alike (007 is not 7), or give "
            "the folder above"
        )
    guessed = ["no name tells which files are labels; they were told by their content"] if by_content else []
    return _finding(pairing, sampler, name, guessed)


def _finding(pairing: Pairing, sampler: Sampler, name: str, guessed: Sequence[str]) -> Finding:
    """Look into the files of some cases."""
    labels = choose_labels(pairing, sampler)
    cases = labels.whole
    found = complete_families(pairing.of("image"), cases)
    left = max(_LABELS_SAMPLED // 2, _MOST_OPENED - 10 - sampler.opened)
    sampled = evenly(cases, max(2, min(_LABELS_SAMPLED, left) // len(labels.families)))
    codes = read_codes(labels, found[0], sampler, sampled)
    budget = max(1, (_MOST_OPENED - sampler.opened) // len(found[0]))
    channels = describe_channels(
        found, labels.families, labels.mask, sampler, evenly(sampled, min(_PER_CHANNEL, budget))
    )
    grid = choose_grid([sampler.look(labels.families[0].files[case]) for case in sampled])
    patient = guess_patients(cases)
    split = choose_split(patient.patients if patient else len(cases))
    told = (*guessed, *channels.doubts, *labels.doubts, *codes.doubts, *grid.doubts, *split.doubts)
    if labels.incomplete:
        told = (*told, _lacking(labels))
    folder = sampler.root.resolve().name
    return Finding(
        name=name,
        title=folder.replace("_", " "),
        folder=folder,
        cases=cases,
        labels=labels,
        channels=channels,
        codes=codes,
        patient=patient,
        grid=grid,
        split=split,
        doubts=(*told, *_leftovers(pairing, labels, channels)),
        opened=sampler.opened,
    )


def _lacking(labels: LabelFiles) -> str:
    number, of = len(labels.incomplete), len(labels.incomplete) + len(labels.whole)
    return (
        f"{number} of {of} cases, such as {labels.incomplete[0]!r}, lack the mask of a class and are left "
        "out ('incomplete: skip'): a missing mask means that nobody annotated the class there; where the "
        "class is absent instead, write an empty mask"
    )


def _first(files: Sequence[NamedFile], role: str) -> str:
    return next(file.path for file in files if file.role == role)


def _roles_by_content(files: Sequence[NamedFile], sampler: Sampler) -> list[NamedFile]:
    """Tell labels by their content where no name does: one or two files of every kind are opened.

    Raises:
        InputError: if no file looks like a label map.
    """
    groups: dict[tuple[str, ...], list[NamedFile]] = {}
    for file, kind in zip(files, _kinds(files), strict=True):
        groups.setdefault(kind, []).append(file)
    large = sorted(groups.values(), key=len, reverse=True)[:_CONTENT_GROUPS]
    few_codes = set()
    for group in large:
        looks = [sampler.look(file, count_codes=True) for file in evenly(group, 2)]
        if all(look.whole and len(look.codes or ()) <= MOST_CODES // 2 for look in looks):
            few_codes |= {file.path for file in group}
    if not few_codes or len(few_codes) == len(files):
        raise InputError(
            f"nothing in {str(sampler.root)!r} looks like a label map: no name or folder says label, mask, "
            "seg, gt, ..., and no kind of file holds a few whole numbers only; name the label files, for "
            "example 'labels/CASE.nii.gz'"
        )
    return [
        NamedFile(file.path, file.stem, file.suffix, "label" if file.path in few_codes else file.role)
        for file in files
    ]


def _kinds(files: Sequence[NamedFile]) -> list[tuple[str, ...]]:
    """Return what files of one kind have in common: the name in a folder per case, else the folder."""
    stems = [_without_folders(file) for file in files]
    stems_in, folders_of = defaultdict(set), defaultdict(set)
    for file, stem in zip(files, stems, strict=True):
        stems_in[file.folders].add(stem)
        folders_of[stem].add(file.folders)
    kinds: list[tuple[str, ...]] = []
    for file, stem in zip(files, stems, strict=True):
        ending = stem.rpartition("_")[2] if "_" in stem else ""
        if len(folders_of[stem]) >= max(2, len(stems_in[file.folders])):
            kinds.append((stem, file.suffix))
        else:
            kinds.append((*file.folders[:1], "" if ending.isdigit() else ending, file.suffix))
    return kinds


def _without_folders(file: NamedFile) -> str:
    """Return the file's name without the names of its folders, which may repeat the case."""
    stem = file.stem
    for folder in sorted(file.folders, key=len, reverse=True):
        stem = stem.replace(folder, "")
    return stem or file.stem


def _leftovers(pairing: Pairing, labels: LabelFiles, channels: Channels) -> list[str]:
    """Return doubts about files that no pattern covers."""
    used = {family.pattern for family in (*labels.families, *channels.families)}
    doubts, labelled = [], {*labels.whole, *labels.incomplete}
    without_label = [
        file.path
        for family in pairing.families
        if family.pattern in used and family.role == "image"
        for case, file in family.files.items()
        if case not in labelled
    ]
    rest = [file.path for file in pairing.rest]
    for paths, what in (
        (without_label, "belong to cases without a label"),
        (rest, "fit no pattern and are left out"),
        (list(pairing.clashes), "repeat the case of another file; put the folder's name into theirs"),
    ):
        if paths:
            kinds = sorted({str(PurePosixPath(path).parent) for path in paths})
            where = f" in {', '.join(kinds)}" if len(kinds) <= 3 else ""
            doubts.append(f"{len(paths)} files{where}, such as {paths[0]}, {what}")
    return doubts
