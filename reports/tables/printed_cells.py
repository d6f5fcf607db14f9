"""Printed numbers as cells, and what has to be said of them."""

from collections.abc import Sequence

from harness.published import PublishedNumber, Source
from reports.tables.model import Cell
from reports.tables.notes import listing
from reports.tables.score_table import NOTHING

_NOT_AVAILABLE = "NA"
_MINUS = "−"


def printed_cell(numbers: Sequence[PublishedNumber]) -> Cell:
    """Return the cell of a row: several numbers one after the other, in the order of their table."""
    told = [number for number in numbers if number.value is not None]
    if not told:
        return Cell(_NOT_AVAILABLE if numbers else NOTHING)
    if len(told) > 1:
        texts = [" ".join(filter(None, _texts(number))) for number in told]
        return Cell(" / ".join(texts).replace("-", _MINUS), value=told[0].value)
    mean, spread = _texts(told[0])
    text = f"{mean} {spread}" if spread else mean
    return Cell(text.replace("-", _MINUS), value=told[0].value, mean=mean, spread=spread.strip("()"))


def printed_notes(
    source: Source, cells: Sequence[Sequence[PublishedNumber]], simulated: Sequence[str]
) -> str:
    """Say where printed numbers come from, and why they cannot be read like ours.

    Args:
        source: Of them.
        cells: Numbers of this source, cell by cell.
        simulated: Our simulated datasets beside which they stand.
    """
    numbers = list(dict.fromkeys(number for cell in cells for number in cell))
    other = dict.fromkeys(
        number.metric.upper() for number in numbers if not (number.comparable or number.relative)
    )
    quantity = f" Not the same quantity as ours: {', '.join(other)}." if other else ""
    theirs = f" They are of real patients, ours on {listing(simulated)} are simulated." if simulated else ""
    several = " Several in one cell stand in this order." if any(len(cell) > 1 for cell in cells) else ""
    remarks = dict.fromkeys(f"{number.loss}: {number.remark}" for number in numbers if number.remark)
    of_rows = f" Remarks: {'; '.join(remarks)}." if remarks else ""
    return (
        f"Printed (heads in italics): copied from {source.citation}, {source.table} ({source.url}); not "
        f"measured here, and compared with ours by no test.{theirs} Evaluated on {source.evaluation}. "
        f"Spread, in brackets: {source.spread}. Metrics: {source.metric_note}.{quantity} {source.caveat} "
        f"Rows as printed: {_rows(numbers)}.{several}{of_rows}"
    )


def _rows(numbers: Sequence[PublishedNumber]) -> str:
    """Return the rows of a paper's table with what sets them apart, those without it last."""
    found: dict[str, dict[str, None]] = {}
    for number in numbers:
        found.setdefault(_apart(number), {})[number.loss] = None
    return "; ".join(
        "; ".join(losses) + (f" ({'all: ' if len(losses) > 1 else ''}{apart})" if apart else "")
        for apart, losses in sorted(found.items(), key=lambda each: not each[0])
    )


def _apart(number: PublishedNumber) -> str:
    """Return what sets a row apart; the name of a variant says it already."""
    alpha = f"alpha: {number.alpha}" if number.alpha else ""
    return "" if number.variant else number.setting or alpha


def _texts(number: PublishedNumber) -> tuple[str, str]:
    """Return a number and its spread in brackets with as many decimals as are printed."""
    digits = number.printed.partition(" ")[0].rstrip("%").partition(".")[2]
    in_per_cent = not number.unit and number.printed.endswith("%")
    decimals = (len(digits) if digits.isdigit() else 0) + 2 * in_per_cent
    spread = "" if number.spread is None else f"({number.spread:.{decimals}f})"
    sign = "+" if number.relative and number.value else ""
    return f"{number.value:{sign}.{decimals}f}", spread
