"""The manifest as YAML, with a comment on every line that was guessed."""

import json
import textwrap
from collections.abc import Iterable, Iterator

from harness.data.manifest.proposal import Finding

_WIDTH = 108


def manifest_text(found: Finding) -> str:
    """Return a manifest that :func:`harness.data.description.describe` reads.

    Args:
        found: What a folder holds.
    """
    lines = [
        *header(found.doubts),
        "",
        f"name: {found.name}",
        f"title: {quoted(found.title)}  # for tables and figures",
        *([f"folders: [{quoted(found.folder)}]"] if found.folder != found.name else []),
        f"layout: {found.layout}",
        *(_files(found) if found.layout == "files" else []),
        *_channels(found),
        *_classes(found),
        *_normalisation(found),
        *_slices(found),
        *_split(found),
        'licence: ""  # terms of the data',
        'citation: ""  # what to cite',
    ]
    return "\n".join(lines) + "\n"


def header(doubts: Iterable[str]) -> Iterator[str]:
    """Yield the comment at the top of a manifest."""
    yield "# Written by `lossbench data init`: a first manifest. Look at every line that says 'guessed',"
    yield "# then let `lossbench data check THIS_FILE --data FOLDER_ABOVE_THE_DATASET` read all cases."
    for doubt in doubts:
        yield from textwrap.wrap(
            f"CHECK: {printable(doubt)}",
            _WIDTH,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def quoted(text: str) -> str:
    """Return a YAML string in double quotes."""
    return json.dumps(text, ensure_ascii=False)


def printable(text: str) -> str:
    """Return text that stays on its line of a comment."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _plain(text: str) -> str:
    """Return a name as YAML, quoted unless it is a bare word that stays a string."""
    bare = text.isascii() and text.replace("_", "").isalnum() and not text[0].isdigit()
    word = text.lower() in {"true", "false", "null", "yes", "no", "on", "off", "y", "n"}
    return text if bare and not word else quoted(text)


def _files(found: Finding) -> Iterator[str]:
    total = len(found.cases)
    yield "files:  # guessed from names; {case} names the case"
    yield "  channels:"
    for family in found.channels.families:
        lacking = found.channels.missing.get(family.pattern, ())
        note = f"{total - len(lacking)} of {total} cases" if lacking else f"all {total} cases"
        yield f"    - {quoted(family.pattern)}  # {note}"
    if found.labels.structures:
        yield "  label:  # one mask per class; where they overlap a later one wins: check the order"
        for index, family in enumerate(found.labels.families, 1):
            yield f"    {index}: {quoted(family.pattern)}"
        if found.labels.incomplete:
            yield f"  incomplete: skip  # {len(found.labels.incomplete)} cases lack the mask of a class"
    else:
        yield f"  label: {quoted(found.labels.families[0].pattern)}  # {total} cases"
    if found.labels.mask:
        yield f"  mask: {quoted(found.labels.mask.pattern)}  # guessed: region for normalisation, no label"
    if found.patient:
        expression = found.patient.expression.replace("'", "''")
        yield f"  patient: '{expression}'  # guessed from {found.patient.reason}:"
        yield f"  # {total} cases of {found.patients} patients: check, splits keep a patient together"
    else:
        yield f"  # patient: '(...)'  # {total} cases count as {total} patients: check. If one has"
        yield "  # several cases, give an expression whose first group, at the names' start, is the patient"
    if not found.grid.spacing:
        yield "  # spacing: [1, 1, 1]  # millimetres along (slices, rows, columns), if you know them"


def _channels(found: Finding) -> Iterator[str]:
    names = ", ".join(map(_plain, found.channels.names))
    source = "guessed from names" if found.layout == "files" else "from dataset.json"
    yield f"channels: [{names}]  # {source}; in the order of the files"


def _classes(found: Finding) -> Iterator[str]:
    codes = found.codes
    source = "guessed from names" if codes.named else "the files do not tell: name them"
    yield f"classes:  # {source if found.layout == 'files' else 'from dataset.json'}"
    for index, name in codes.classes.items():
        yield f"  {index}: {_plain(name)}"
    yield f"labels:  # stored code: class or ignore; counted in {codes.looked_at} label files"
    for code, target in codes.labels.items():
        if found.labels.structures:
            yield f"  {code}: {target}"
            continue
        where = f"in {codes.files.get(code, 0)} files" if codes.files.get(code, 0) != 1 else "in 1 file"
        yield f"  {code}: {target}  # {codes.voxels.get(code, 0):,} voxels {where}"


def _normalisation(found: Finding) -> Iterator[str]:
    yield "normalise:"
    yield "  kind: zscore"
    yield f"  mask: {found.channels.region}  # guessed: {found.channels.reason}"
    if found.channels.own_grids:
        listed = printable(", ".join(found.channels.own_grids))
        yield f"own_grids: resample  # not on the label's grid: {listed}"


def _slices(found: Finding) -> Iterator[str]:
    grid = found.grid
    if grid.spacing:
        yield f"# Spacing seen (slices, rows, columns): {grid.spacing} mm."
    if grid.inplane_mm:
        yield f"# resample: {{inplane_mm: {grid.inplane_mm:g}}}  # pixel sizes differ; then adapt 'size'"
    if grid.plane != "axial":
        yield f"slices: {grid.plane}  # guessed: voxels are longest across this plane"
    yield f"size: [{grid.size[0]}, {grid.size[1]}]  # slices are cropped or padded to it; seen: {grid.seen}"


def _split(found: Finding) -> Iterator[str]:
    yield f"split:  # {found.split.reason}"
    if found.split.folds is None:
        yield from ("  kind: holdout", "  test: 0.2", "  validation: 0.15")
    else:
        yield from ("  kind: kfold", f"  k: {found.split.folds}")
    if found.split.published:
        yield "  folds:"
        for fold in found.split.published:
            yield "    - ["
            yield from _wrapped([f"{quoted(name)}," for name in fold], " " * 8)
            yield "      ]"


def _wrapped(items: Iterable[str], indent: str) -> Iterator[str]:
    """Yield lines of items that are never broken."""
    line = ""
    for item in items:
        if line and len(indent) + len(line) + len(item) >= _WIDTH:
            yield indent + line
            line = ""
        line += f" {item}" if line else item
    yield indent + line
