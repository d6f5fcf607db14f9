"""What there is to know about the alpha schedules: their fields and docstrings as facts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.cli.loss_docs.docstrings import read_docstring
from harness.losses import ALPHA_SCHEDULES
from harness.losses.search_space import Spaces


@dataclass(frozen=True)
class ScheduleEntry:
    """An alpha schedule.

    Attributes:
        name: As study files write it.
        form: How alpha becomes two weights, by default.
        defaults: Its own fields.
        spaces: What a study that tunes draws fields from.
        summary: In Markdown.
        reference: Paper, or who proposed it.
    """

    name: str
    form: str
    defaults: Mapping[str, Any]
    spaces: Spaces
    summary: str
    reference: str


def all_schedules() -> Iterator[ScheduleEntry]:
    """Yield every schedule, by name."""
    for name, kind in ALPHA_SCHEDULES.items():
        values: dict[str, Any] = kind.model_validate({"schedule": name}).model_dump(mode="json")
        form = values.pop("form")
        del values["schedule"]
        summary = read_docstring(kind.__doc__).summary
        yield ScheduleEntry(name, form, values, kind.spaces, summary, kind.reference)
