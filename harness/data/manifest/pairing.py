"""Which files belong together: one pattern per kind of file, and the name that its cases share.

The name of a case is the part of a path that label files have in common with image files. Every part
of a label's path is tried; the one that explains most cases and images is taken.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.data.manifest.spans import Template, spans, tells_kind, templates_of
from harness.data.manifest.words import NamedFile, Role

_CANDIDATES = 40
_IMAGES_TRIED = 1000


@dataclass(frozen=True)
class Family:
    """The files of one pattern.

    Attributes:
        role: What they are by name.
        pattern: As written in a manifest.
        files: By case.
    """

    role: Role
    pattern: str
    files: Mapping[str, NamedFile]

    @property
    def suffix(self) -> str:
        """Suffix of its files, the first one's if they differ."""
        return next(iter(self.files.values())).suffix.lower()


@dataclass(frozen=True)
class Pairing:
    """What the names of the files tell.

    Attributes:
        families: Largest first.
        rest: Files of no family, which hold the name of no labelled case.
        clashes: Paths of files that share pattern and case with another file.
    """

    families: tuple[Family, ...]
    rest: tuple[NamedFile, ...]
    clashes: tuple[str, ...]

    def of(self, role: Role) -> list[Family]:
        """Return the families of one role."""
        return [family for family in self.families if family.role == role]


def pair(files: Sequence[NamedFile]) -> Pairing | None:
    """Find cases and patterns.

    Args:
        files: All images with their roles; some are labels.

    Returns:
        The pairing, or None if no label's path has a part in common with an image's.
    """
    labels = [file for file in files if file.role == "label"]
    images = [file for file in files if file.role == "image"]
    cases = _best_cases(labels, images)
    if not cases:
        return None
    return _families(files, cases)


def _best_cases(labels: Sequence[NamedFile], images: Sequence[NamedFile]) -> set[str]:
    """Return the case names of the best template of a label: those that most images share."""
    by_template: dict[Template, dict[str, Template]] = defaultdict(dict)
    for file in labels:
        for case in spans(file):
            for template in templates_of(file, case):
                by_template[template.loose][case] = template
    best = sorted(by_template.items(), key=lambda item: (-len(item[1]), item[0].wildcards, item[0].pattern))
    step = max(1, len(images) // _IMAGES_TRIED)
    tried = [
        [(template.loose, case) for case in spans(file) for template in templates_of(file, case)]
        for file in images[::step]
    ]

    def merit(found: Mapping[str, Template]) -> tuple[float, float, int, bool, float]:
        explained, cases = _explained(tried, found)
        share = explained / max(1, len(tried))
        loose = _joined(tuple(found.values())).wildcards
        length = sum(map(len, found)) / len(found)
        return (
            min(len(found), cases * step) * share,
            share,
            -loose,
            not any(map(tells_kind, found)),
            length,
        )

    ranked = [(merit(found), set(found)) for _, found in best[:_CANDIDATES]]
    merit_of_best, cases = max(ranked, key=lambda each: each[0], default=((0.0,), set()))
    return cases if merit_of_best[0] > 0 else set()


def _explained(tried: Sequence[Sequence[tuple[Template, str]]], found: Collection[str]) -> tuple[int, int]:
    """Return how many images belong to the cases ``found``, and to how many of these.

    A template counts only if it fits several cases: a number such as a visit's hits by accident.
    """
    cases_of = defaultdict(set)
    for options in tried:
        for template, case in options:
            if case in found:
                cases_of[template].add(case)
    enough = min(2, len(found))
    good = {template for template, cases in cases_of.items() if len(cases) >= enough}
    hits = [[case for template, case in options if template in good and case in found] for options in tried]
    return sum(map(bool, hits)), len({case for each in hits for case in each})


def _families(files: Sequence[NamedFile], cases: set[str]) -> Pairing:
    """Sort all files into families of the given cases."""
    options: list[list[tuple[Template, str]]] = []
    for file in files:
        named = [case for case in spans(file) if case in cases]
        options.append([(template, case) for case in named for template in templates_of(file, case)])
    counts = Counter(template.loose for choices in options for template, _ in choices)
    variants: dict[tuple[Role, Template], dict[Template, dict[str, NamedFile]]] = {}
    rest, clashes = [], []
    for file, choices in zip(files, options, strict=True):
        if not choices:
            rest.append(file)
            continue
        template, case = max(
            choices, key=lambda each: (counts[each[0].loose], len(each[1]), -each[0].loose.wildcards)
        )
        members = variants.setdefault((file.role, template.loose), {}).setdefault(template, {})
        if case in members:
            clashes.append(file.path)
        else:
            members[case] = file
    families = [
        Family(role, _joined(templates).pattern, members)
        for (role, _), each in variants.items()
        for templates, members in _merged(each)
    ]
    families.sort(key=lambda family: (-len(family.files), family.pattern))
    dropped = _repeating_folders(families)
    kept = [family for family in families if not dropped & set(family.pattern.split("/"))]
    clashes += [file.path for family in families if family not in kept for file in family.files.values()]
    return Pairing(tuple(kept), tuple(rest), tuple(clashes))


def _repeating_folders(families: Sequence[Family]) -> set[str]:
    """Return folders that repeat the names of cases in another: sites or days with the same names.

    They show by labels that differ in one folder only, where images have both folders, too.
    """
    labels = [family.pattern.split("/") for family in families if family.role == "label"]
    folders = {
        folder for family in families if family.role == "image" for folder in family.pattern.split("/")[:-1]
    }
    repeating = set()
    for larger, smaller in combinations(labels, 2):
        if len(larger) == len(smaller):
            differing = [two for two in zip(larger, smaller, strict=True) if two[0] != two[1]]
            if len(differing) == 1 and folders.issuperset(differing[0]):
                repeating.add(differing[0][1])
    return repeating


def _merged(
    variants: Mapping[Template, Mapping[str, NamedFile]],
) -> list[tuple[tuple[Template, ...], dict[str, NamedFile]]]:
    """Join templates that differ in folders or suffix only and have no case in common."""
    joined: list[tuple[tuple[Template, ...], dict[str, NamedFile]]] = []
    for template, members in sorted(variants.items(), key=lambda item: (-len(item[1]), item[0].pattern)):
        for position, (templates, gathered) in enumerate(joined):
            if gathered.keys().isdisjoint(members):
                joined[position] = ((*templates, template), {**gathered, **members})
                break
        else:
            joined.append(((template,), dict(members)))
    return joined


def _joined(templates: Sequence[Template]) -> Template:
    """Return one template for several: what differs becomes ``*`` between common ends."""
    first = templates[0]
    folders = tuple(
        _common([template.folders[depth] for template in templates]) for depth in range(len(first.folders))
    )
    suffixes = [template.suffix for template in templates]
    suffix = suffixes[0] if len(set(suffixes)) == 1 else f"{_common_start(suffixes)}*"
    return Template(folders, first.stem, suffix)


def _common(names: Sequence[str]) -> str:
    if len(set(names)) == 1:
        return names[0]
    head = _common_start(names)
    while head and head[-1].isalnum():
        head = head[:-1]  # cut at a separator: "sub-*", not "sub-0*"
    return f"{head}*"


def _common_start(names: Sequence[str]) -> str:
    low, high = min(names), max(names)
    differ = (at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other)
    return low[: next(differ, len(low))]
