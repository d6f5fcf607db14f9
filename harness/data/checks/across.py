"""What only a look at all cases together shows."""

from collections.abc import Callable, Iterator, Sequence

from harness.data.checks.examine import Examination
from harness.data.checks.mirror import suspected_mirrors
from harness.data.description import DatasetDescription
from harness.data.findings import Finding

Comparison = Callable[[Sequence[Examination], DatasetDescription], Iterator[Finding]]


def compare_cases(seen: Sequence[Examination], description: DatasetDescription) -> list[Finding]:
    """Return the findings about several cases, but those that the description accepts.

    Args:
        seen: Examinations of the dataset's cases, in its order.
        description: The dataset.
    """
    findings = [finding for compare in COMPARISONS for finding in compare(seen, description)]
    return [each for each in findings if each.case not in description.accept.get(each.check, ())]


def duplicate_images(seen: Sequence[Examination], description: DatasetDescription) -> Iterator[Finding]:
    """Find cases whose image equals an earlier one's, voxel by voxel, in any channel."""
    for channel, name in enumerate(description.channels):
        for first, second in _repeats(seen, [each.image[channel] if each.image else "" for each in seen]):
            if channel and first.image[:channel] == second.image[:channel]:
                continue  # told already
            whose = "the same patient" if first.patient == second.patient else f"patient {first.patient!r}"
            yield Finding(
                "duplicate_image",
                second.case,
                f"its {name} is the same image as that of case {first.case!r} of {whose}",
                "find out which of them it belongs to and remove the other, or write "
                f"'accept: {{duplicate_image: [{second.case}]}}' in the dataset's description",
            )


def duplicate_labels(seen: Sequence[Examination], _: DatasetDescription) -> Iterator[Finding]:
    """Find cases whose mask equals an earlier one's and is not empty."""
    for first, second in _repeats(seen, [each.label for each in seen]):
        yield Finding(
            "duplicate_label",
            second.case,
            f"its mask equals that of case {first.case!r}",
            "look at both cases",
        )


def mirrored_labels(seen: Sequence[Examination], description: DatasetDescription) -> Iterator[Finding]:
    """Find masks that fit their image better when mirrored."""
    evidence = {each.case: each.mirror for each in seen if each.mirror}
    for suspicion in suspected_mirrors(evidence, description.slices):
        yield Finding(
            "mirrored_label",
            suspicion.case,
            suspicion.clause,
            "look at it with 'lossbench data show' and flip the mask, or write "
            f"'accept: {{mirrored_label: [{suspicion.case}]}}' in the dataset's description",
        )


def absent_classes(seen: Sequence[Examination], description: DatasetDescription) -> Iterator[Finding]:
    """Find classes that no decoded case holds."""
    decoded = [each.voxels for each in seen if each.voxels]
    for index, name in description.classes.items():
        if decoded and not any(voxels[index] for voxels in decoded):
            yield Finding(
                "absent_class", None, f"no case holds class {name!r}", "correct 'labels' or drop the class"
            )


def patient_sites(seen: Sequence[Examination], _: DatasetDescription) -> Iterator[Finding]:
    """Find patients who have cases of several sites."""
    sites: dict[str, set[str]] = {}
    for each in seen:
        if each.site is not None:
            sites.setdefault(each.patient, set()).add(each.site)
    for patient, found in sites.items():
        if len(found) > 1:
            yield Finding(
                "patient_sites",
                None,
                f"patient {patient!r} has cases of {', '.join(sorted(found))}",
                "correct the patient pattern if these are different people",
            )


COMPARISONS: tuple[Comparison, ...] = (
    duplicate_images,
    duplicate_labels,
    mirrored_labels,
    absent_classes,
    patient_sites,
)


def _repeats(
    seen: Sequence[Examination], digests: Sequence[str]
) -> Iterator[tuple[Examination, Examination]]:
    """Yield (first, later) for every examination whose digest was there before; an empty one is none."""
    first: dict[str, Examination] = {}
    for each, found in zip(seen, digests, strict=True):
        if found in first:
            yield first[found], each
        elif found:
            first[found] = each
