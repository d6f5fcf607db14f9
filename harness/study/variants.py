"""Variants of network or protocol: rows of their own, to set the effect of a loss beside other effects."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from harness.errors import nearest
from harness.strict_yaml import StrictModel
from harness.study.loss_entry import LossEntry
from harness.study.row_labels import varied_label
from harness.study.tuned_loss import tuned_entries, tuned_label

if TYPE_CHECKING:
    from harness.study.spec import Study


class Variant(StrictModel):
    """What one more row for each loss changes of network or protocol; the loss as it is stays beside it.

    Attributes:
        label: What is put in parentheses behind the label of the loss: ``Dice + CE (batch norm)``.
        protocol: Keys of the study's protocol with other values.
        model: Keys of the study's model with other values; with another ``name``, the whole model.
        losses: Labels of the losses that are varied; every loss that the file alone tells if absent. Arms
            that are tuned are not varied.
    """

    label: str = Field(min_length=1)
    protocol: dict[str, Any] = Field(default_factory=dict)
    model: dict[str, Any] = Field(default_factory=dict)
    losses: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _changes_something(self) -> "Variant":
        if not self.protocol and not self.model:
            raise ValueError("a variant changes something; give keys under 'protocol' or 'model'")
        return self

    def varies(self, entry: LossEntry) -> bool:
        """Whether it makes a row for a loss."""
        return entry.is_known if self.losses is None else entry.label in self.losses


@dataclass(frozen=True)
class Row:
    """One row of the comparison that needs no tuning first.

    Attributes:
        label: Its name in tables.
        entry: The loss.
        study: The study with the protocol and the model of this row.
    """

    label: str
    entry: LossEntry
    study: "Study"


def varied(study: "Study", variant: Variant) -> "Study":
    """Return a study with the protocol and the model of a variant, and no variants.

    Raises:
        pydantic.ValidationError: if these are no protocol or no model; its places begin with ``protocol`` or
            ``model``.
    """
    changed = {
        name: _changed(name, getattr(study, name), changes)
        for name, changes in (("protocol", variant.protocol), ("model", variant.model))
    }
    return study.model_copy(update={**changed, "variants": ()})


def rows(study: "Study") -> Iterator[Row]:
    """Yield the rows of a study in the order of its tables: every declared loss, then its variants.

    Losses without an arm of their own, whose schedule is only found by tuning, are left out.
    """
    studies = [(variant, varied(study, variant)) for variant in study.variants]
    for entry in study.losses:
        if entry.tuned:
            continue
        yield Row(entry.label, entry, study)
        for variant, own in studies:
            if variant.varies(entry):
                yield Row(varied_label(entry.label, variant.label), entry, own)


def variant_faults(study: "Study") -> Iterator[InitErrorDetails]:
    """Yield what is wrong with the variants of a study, at its place."""
    taken = {entry.label for entry in study.losses}
    taken |= {tuned_label(entry) for entry in tuned_entries(study.losses, study.tuning)}
    for index, variant in enumerate(study.variants):
        place = ("variants", index)
        wrong = [*_wrong_losses(study, variant)]
        yield from (_fault((*place, "losses"), told, given) for told, given in wrong)
        try:
            varied(study, variant)
        except ValidationError as error:
            yield from (_fault((*place, *each["loc"]), each["msg"], each["input"]) for each in error.errors())
        for entry in () if wrong else study.losses:
            label = varied_label(entry.label, variant.label)
            if variant.varies(entry) and label in taken:
                yield _fault((*place, "label"), f"row {label!r} stands twice; give another label", label)
            taken.add(label)


def _wrong_losses(study: "Study", variant: Variant) -> Iterator[tuple[str, str]]:
    known = {entry.label: entry.is_known for entry in study.losses}
    for label in variant.losses or ():
        if label not in known:
            hint = nearest(label, known) or f"; it has {', '.join(known)}"
            yield f"the study has no loss {label!r}{hint}", label
        elif not known[label]:
            yield f"loss {label!r} cannot be varied: only a tuning finds its schedule; leave it out", label
    if variant.losses is None and not any(known.values()):
        yield "no loss can be varied: only tuning finds their schedules; leave the variant out", variant.label


def _fault(place: tuple[str | int, ...], told: str, given: Any) -> InitErrorDetails:
    return {
        "type": PydanticCustomError("variant", "{told}", {"told": told}),
        "loc": place,
        "input": given,
    }


def _changed(name: str, part: StrictModel, changes: Mapping[str, Any]) -> StrictModel:
    """Return the protocol or the model with changes."""
    document = _merged(part.model_dump(mode="json"), changes)
    try:
        return type(part).model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        problems = [
            _fault((name, *problem["loc"]), _told(problem, type(part)), problem["input"])
            for problem in error.errors()
        ]
        raise ValidationError.from_exception_data(type(part).__name__, problems) from None


def _told(problem: ErrorDetails, part: type[StrictModel]) -> str:
    if problem["type"] == "extra_forbidden":
        return f"unknown key{nearest(str(problem['loc'][-1]), part.model_fields)}"
    return problem["msg"].removeprefix("Value error, ")


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with changes, nested ones key by key unless they name another kind of thing."""
    if "name" in changes and changes["name"] != base.get("name"):
        return dict(changes)
    found = dict(base)
    for key, value in changes.items():
        old = found.get(key)
        found[key] = _merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return found
