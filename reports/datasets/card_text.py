"""A dataset card as Markdown that also reads well in a terminal."""

from collections.abc import Sequence
from textwrap import fill

from reports.datasets.card import ClassCard, DatasetCard, Spread
from reports.datasets.sheet_layout import percent

_WIDTH = 100
_MOST_NAMED = 6
"""Cases named one by one; of more, the number only."""


def card_markdown(card: DatasetCard) -> str:
    """Return the card as Markdown, tables aligned, ending in a line break."""
    about = card.about
    title = f"# {about.title} ({about.name})"
    parts = [title]
    if about.simulated:
        parts.append("**Simulated images**: no patient's.")
    parts.append(_table(("", ""), _dataset_rows(card)))
    if card.classes:
        parts += ["## Classes", _table(_HEAD, [_class_row(each, card.unit) for each in card.classes])]
        parts.append(fill(_legend(card), _WIDTH))
    if about.citation:
        parts.append(fill(f"Citation: {' '.join(about.citation.split())}", _WIDTH))
    if about.unreadable:
        lines = [f"- {sentence}" for sentence in about.unreadable.values()]
        parts += ["## Cases that cannot be read", "\n".join(lines)]
    if about.left_out:
        lines = [f"- {sentence}" for sentence in about.left_out.values()]
        parts += ["## Cases left out", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


_HEAD = ("class", "share of voxels", "per case", "lesions per case", "size of a lesion", "cases without")


def _dataset_rows(card: DatasetCard) -> list[tuple[str, ...]]:
    about = card.about
    unread = f"; {_counted(len(about.unreadable), 'case')} cannot be read" if about.unreadable else ""
    left = f"; {_counted(len(about.left_out), 'case')} left out" if about.left_out else ""
    rows = [
        ("cases", f"{_counted(card.cases, 'case')} of {_counted(card.patients, 'patient')}{unread}{left}"),
        ("sites", ", ".join(f"{site} ({number})" for site, number in card.sites.items())),
        ("channels", ", ".join(about.channels)),
    ]
    if card.shape is not None:
        rows.append(("shape (slices × rows × columns)", " × ".join(_extent(axis) for axis in card.shape)))
    if card.spacing is not None:
        rows.append(("voxel size, mm", " × ".join(_extent(axis) for axis in card.spacing)))
    share = percent(card.empty_slices / max(1, card.slices))
    rows.append(("slices", f"{card.slices}, of them {share} without foreground"))
    if card.ignored:
        rows.append(("ignored", f"{percent(card.ignored)} of the voxels"))
    rows += [("split" if number == 0 else "", line) for number, line in enumerate(about.splits)]
    rows += [("licence", about.licence), ("fingerprint", about.fingerprint or "")]
    return [row for row in rows if row[1]]


def _class_row(each: ClassCard, unit: str) -> tuple[str, ...]:
    fraction = each.fraction
    return (
        each.name,
        f"{percent(fraction.median)} ({_bare(fraction.lowest)} to {percent(fraction.highest)})",
        _amount(each.amount, unit),
        f"{_number(each.lesions.median)} ({_number(each.lesions.p10)} to {_number(each.lesions.p90)})",
        _amount(each.lesion_size, unit),
        _cases(each.empty),
    )


def _bare(fraction: float) -> str:
    return percent(fraction).removesuffix(" %")


def _amount(spread: Spread | None, unit: str) -> str:
    if spread is None:
        return ""
    return f"{_number(spread.median)} ({_number(spread.p10)} to {_number(spread.p90)}) {unit}"


def _cases(names: Sequence[str]) -> str:
    if not names:
        return "none"
    return f"{len(names)}: {', '.join(names)}" if len(names) <= _MOST_NAMED else str(len(names))


def _legend(card: DatasetCard) -> str:
    lesions = "8-connected in each picture" if card.unit == "pixels" else "26-connected"
    return (
        "Medians; in brackets the range over cases for shares of voxels, else the 10th to the 90th "
        f"percentile. Lesions are connected components ({lesions}), of any class. Amounts per case are of "
        "the cases that have the class."
    )


def _extent(spread: Spread) -> str:
    """Return a range, or the one value if all are equal."""
    low, high = _number(spread.lowest), _number(spread.highest)
    return low if low == high else f"{low}–{high}"


def _number(value: float) -> str:
    """Return three digits, whole numbers in full."""
    if value == round(value) or abs(value) >= 1000:
        return str(round(value))
    return f"{value:.2g}" if abs(value) < 0.1 else f"{value:.3g}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns are as wide as their widest cell."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in (head, *rows)]
    widths = [max(3, *(len(row[column]) for row in cells)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
