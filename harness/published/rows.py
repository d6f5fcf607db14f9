"""The rows of the tables, read from the files in ``numbers``."""

import csv
import functools
from collections.abc import Mapping
from decimal import Decimal
from importlib.resources import files

from harness.errors import InputError, nearest
from harness.published.model import PublishedNumber
from harness.published.sources import SOURCES

STUDIES = ("kervadec2019", "wong2018", "anatomynet2019", "nnunet2019", "odyssey2021")
"""Studies with printed numbers; each has a file ``numbers/STUDY.csv``."""

NOT_AVAILABLE = "NA"
PER_CENT = "%"
"""As the unit of a row: per cent of the metric itself. Relative changes have their own unit and stay."""


def published_numbers(study: str | None = None) -> tuple[PublishedNumber, ...]:
    """Return the printed numbers in the order of their tables.

    Args:
        study: One of :data:`STUDIES`; all if absent.

    Raises:
        InputError: if there is no such study.
    """
    if study is None:
        return tuple(number for each in STUDIES for number in _read(each))
    if study not in STUDIES:
        hint = nearest(study, STUDIES) or f"; there are {', '.join(STUDIES)}"
        raise InputError(f"no published numbers of a study {study!r}{hint}")
    return _read(study)


@functools.cache
def _read(study: str) -> tuple[PublishedNumber, ...]:
    text = files("harness.published").joinpath("numbers", f"{study}.csv").read_text(encoding="utf-8")
    return tuple(_number(study, row) for row in csv.DictReader(text.splitlines()))


def _number(study: str, row: Mapping[str, str]) -> PublishedNumber:
    unit = row["unit"]
    return PublishedNumber(
        study=study,
        dataset=row["dataset"],
        printed_dataset=row["printed_dataset"],
        loss=row["loss"],
        expression=row["expression"],
        label=row["label"],
        metric=row["metric"],
        value=_value(row["value"], unit),
        spread=_value(row["spread"], unit),
        unit="" if unit == PER_CENT else unit,
        source=SOURCES[row["source"]],
        comparable={"yes": True, "no": False}[row["comparable"]],
        printed=_printed(row["value"], row["spread"], unit),
        setting=row["setting"],
        remark=row["remark"],
        class_name=row["class_name"],
        variant=row["variant"],
        alpha=row["alpha"],
        nearest=row["nearest"],
    )


def _value(text: str, unit: str) -> float | None:
    """Return the number; decimal arithmetic keeps 85.1 % at 0.851."""
    if text in {"", NOT_AVAILABLE}:
        return None
    return float(Decimal(text) / 100 if unit == PER_CENT else Decimal(text))


def _printed(value: str, spread: str, unit: str) -> str:
    shown = f"{value} ({spread})" if spread else value
    if value == NOT_AVAILABLE:
        return value
    return f"{shown} {unit}".rstrip()
