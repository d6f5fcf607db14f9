"""What there is to know about a loss, an alias or a sum: the registry and the docstrings as facts."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any, Literal, TypeAlias, get_args

from torch import nn

from harness.cli.loss_docs.docstrings import Docstring, first_sentence, read_docstring
from harness.cli.loss_docs.parameters import Parameter, as_yaml, parameters_of
from harness.losses import ALIASES, LOSSES, LossSpec, Relation, parse_loss
from harness.losses.base import Family
from harness.losses.plugins import GROUP, find_loss

Kind: TypeAlias = Literal["loss", "alias", "entry point", "import path"]

FAMILIES: tuple[str, ...] = get_args(Family)


@dataclass(frozen=True)
class LossEntry:
    """A loss, or the short name of a sum.

    Attributes:
        name: As study files write it.
        kind: Where it comes from.
        family: One of :data:`FAMILIES`.
        source: Import path of the class; empty for an alias.
        doc: Its docstring, taken apart.
        parameters: Of the constructor; an alias has none.
        needs: What it can take precomputed, sorted.
        reference: The short one of the registry.
        partner: Whether it is meant as a part of a sum, not alone.
        relations: Its edges in the family tree.
        expression: The sum that an alias stands for, else empty.
        used_in: The aliases that contain it.
    """

    name: str
    kind: Kind
    family: str
    source: str
    doc: Docstring
    parameters: tuple[Parameter, ...]
    needs: tuple[str, ...]
    reference: str
    partner: bool = False
    relations: tuple[Relation, ...] = ()
    expression: str = ""
    used_in: tuple[str, ...] = ()

    @property
    def ships_with_lossbench(self) -> bool:
        """Whether it is there without any other package."""
        return self.kind == "alias" or self.source.startswith("harness.losses.")

    @property
    def example(self) -> str:
        """How a study file writes it: an item of ``losses``, in YAML."""
        return study_item(*_written(self))

    @property
    def relations_in_words(self) -> tuple[str, ...]:
        """The edges of the family tree, each as what the loss does: ``contains ce``."""
        return tuple(_in_words(relation) for relation in self.relations)

    def to_json(self) -> dict[str, Any]:
        """Return everything, for other programs."""
        return {
            "name": self.name,
            "family": self.family,
            "kind": self.kind,
            "summary": self.doc.summary,
            "expression": self.expression or None,
            "parameters": {parameter.name: parameter.to_json() for parameter in self.parameters},
            "needs": list(self.needs),
            "reference": self.reference,
            "partner": self.partner,
            "relations": [_as_json(relation) for relation in self.relations],
            "used_in": list(self.used_in),
            "formula": self.doc.formula,
            "text": list(self.doc.paragraphs),
            "source_in_full": self.doc.reference,
            "elsewhere": self.doc.elsewhere,
            "example": self.example,
            "class": self.source or None,
        }


def all_entries() -> list[LossEntry]:
    """Return every registered loss and alias, by family, then losses before aliases, then by name."""
    found = [*map(_registered, LOSSES), *map(_alias, ALIASES)]
    return sorted(found, key=lambda entry: (FAMILIES.index(entry.family), entry.kind == "alias", entry.name))


def by_family(entries: list[LossEntry]) -> Iterator[tuple[str, list[LossEntry]]]:
    """Yield the families that have a member, with their members."""
    for family in FAMILIES:
        members = [entry for entry in entries if entry.family == family]
        if members:
            yield family, members


def describe_loss(name: str) -> LossEntry | LossSpec:
    """Return the entry of a name or import path, or the specification of a sum.

    Raises:
        InputError: if there is no such loss; the message names the nearest one.
    """
    name = name.strip()
    if name in ALIASES:
        return _alias(name)
    if re.search(r"[+*\s]", name) or not name:
        return parse_loss(name)
    return _registered(name)


def spec_to_json(spec: LossSpec) -> dict[str, Any]:
    """Return a sum, for other programs."""
    return {
        "expression": spec.expression,
        "kind": "expression",
        "family": spec.family,
        "terms": [
            {**term.model_dump(mode="json"), "family": term.family, "partner": _is_partner(term.name)}
            for term in spec.terms
        ],
        "needs": sorted(spec.needs),
    }


def _registered(name: str) -> LossEntry:
    canonical, loss = find_loss(name)
    facts: dict[str, Any] = {
        key: getattr(loss, key, default)
        for key, default in (("partner", False), ("relations", ()), ("reference", ""), ("needs", ()))
    }
    family: str = getattr(loss, "family")  # noqa: B009 -- not one of Module's
    return LossEntry(
        name=canonical,
        kind=_kind(canonical, loss),
        family=family,
        source=f"{loss.__module__}:{loss.__qualname__}",
        doc=read_docstring(_with_names(loss.__doc__)),
        parameters=parameters_of(loss),
        needs=tuple(sorted(facts["needs"])),
        reference=facts["reference"],
        partner=facts["partner"],
        relations=facts["relations"],
        used_in=tuple(alias for alias in sorted(ALIASES) if canonical in _parts(ALIASES[alias].expression)),
    )


def _kind(name: str, loss: type[nn.Module]) -> Kind:
    if ":" in name:
        return "import path"
    announced = {entry.name for entry in entry_points(group=GROUP)}
    return "entry point" if name in announced and not loss.__module__.startswith("harness.") else "loss"


def _alias(name: str) -> LossEntry:
    alias = ALIASES[name]
    text = read_docstring(alias.doc).summary
    summary = first_sentence(text)
    rest = text.removeprefix(summary).strip()
    return LossEntry(
        name=name,
        kind="alias",
        family="compound",
        source="",
        doc=Docstring(summary, paragraphs=(rest,) if rest else ()),
        parameters=(),
        needs=tuple(sorted(parse_loss(alias.expression).needs)),
        reference=alias.reference,
        expression=alias.expression,
        relations=tuple(Relation("contains", part) for part in _parts(alias.expression)),
    )


def _parts(expression: str) -> tuple[str, ...]:
    """Return the names of a sum as written."""
    return tuple(re.findall(r"[A-Za-z_]\w*", expression))


def _with_names(doc: str | None) -> str | None:
    """Return a docstring that speaks of registered classes by the names that study files use."""
    for name, loss in LOSSES.items():
        doc = doc and re.sub(rf":class:`~?(?:[\w.]+\.)?{loss.__name__}`", f"``{name}``", doc)
    return doc


def _is_partner(name: str) -> bool:
    return bool(getattr(find_loss(name)[1], "partner", False))


def _in_words(relation: Relation) -> str:
    if relation.kind == "contains":
        return f"contains {relation.other}"
    factor = "" if relation.factor == 1 else f"{relation.factor:g}*"
    theirs = f"({_settings(relation.other_parameters)})" if relation.other_parameters else ""
    own = f" with {_settings(relation.parameters)}" if relation.parameters else ""
    return f"equals {factor}{relation.other}{theirs}{own}"


def _settings(parameters: Mapping[str, Any]) -> str:
    shown = {key: f"{value:g}" if isinstance(value, float) else value for key, value in parameters.items()}
    return ", ".join(f"{key}={value}" for key, value in shown.items())


def _as_json(relation: Relation) -> dict[str, Any]:
    return {
        "kind": relation.kind,
        "other": relation.other,
        "parameters": dict(relation.parameters),
        "other_parameters": dict(relation.other_parameters),
        "factor": relation.factor,
    }


def study_item(loss: str, expression: str = "", label: str = "") -> str:
    """Return an item of a study's ``losses``, with the alpha that the sum is meant to have.

    Args:
        loss: As the file writes it.
        expression: The sum that it stands for, if it is one.
        label: Name in tables; the loss if absent.
    """
    return "\n".join([f"- label: {label or loss}", f"  loss: {loss}", *_alpha(expression)])


def _written(entry: LossEntry) -> tuple[str, str, str]:
    """Return loss, expression and label of the example."""
    if entry.kind == "alias":
        return entry.name, entry.expression, ""
    if entry.partner:
        order = list(ALIASES)
        sums = sorted(
            entry.used_in, key=lambda alias: (len(_parts(ALIASES[alias].expression)), order.index(alias))
        )
        # A term is never written alone: in its first published sum, or beside Dice.
        total = ALIASES[sums[0]].expression if sums else f"dice + {entry.name}"
        return total, total, ""
    wanted = next((each for each in entry.parameters if each.required or each.default is not None), None)
    if wanted is None:
        return entry.name, "", ""
    value = "..." if wanted.required else as_yaml(wanted.default)
    return f"{{name: {entry.name}, {wanted.name}: {value}}}", "", entry.name.replace(":", ".")


def _alpha(expression: str) -> list[str]:
    """Return the line of an alpha, for sums with a boundary-family term."""
    parts = _parts(expression)
    moved = [part for part in parts if part in LOSSES and LOSSES[part].family == "boundary"]
    if not moved or len(parts) < 2:
        return []
    if len(parts) == 2:
        return ["  alpha: {schedule: rebalance, over: 1.0}"]
    return [f"  alpha: {{schedule: cosine, on: {moved[0]}}}"]
