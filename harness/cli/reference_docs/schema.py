"""The keys of a YAML file, read from the pydantic models that check it."""

import typing
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from harness.cli.loss_docs.docstrings import markdown, read_docstring
from harness.cli.loss_docs.parameters import as_yaml
from harness.cli.markdown import anchor, prose
from harness.cli.reference_docs.meanings import MEANINGS
from harness.cli.reference_docs.words import in_words, models_in


@dataclass(frozen=True)
class Key:
    """One key of a block.

    Attributes:
        name: As it is written.
        values: What it may hold, in Markdown.
        default: As YAML; ``required`` if there is none.
        meaning: In Markdown.
    """

    name: str
    values: str
    default: str
    meaning: str


@dataclass(frozen=True)
class Block:
    """The keys of one mapping of a file.

    Attributes:
        path: Dotted keys that lead to it; empty at the top.
        form: Which of several forms, such as ``adam``; empty if there is one only.
        summary: In Markdown.
        keys: In the order of the model.
    """

    path: str
    form: str
    summary: str
    keys: tuple[Key, ...]

    @property
    def heading(self) -> str:
        """Its heading, from which the anchor is made."""
        return heading(self.path, self.form)


@dataclass
class _Walk:
    """A walk through nested models.

    Attributes:
        headings: Of the models that have a block already: each is described once.
    """

    headings: dict[type[BaseModel], str] = field(default_factory=dict)

    def blocks(self, model: type[BaseModel], path: str, form: str) -> Iterator[Block]:
        nested: list[tuple[type[BaseModel], str, str]] = []
        keys = tuple(
            self._key(model, name, info, f"{path}.{name}".lstrip("."), nested)
            for name, info in model.model_fields.items()
        )
        yield Block(path, form, _summary(model), keys)
        for each in nested:
            yield from self.blocks(*each)

    def _key(
        self,
        model: type[BaseModel],
        name: str,
        info: FieldInfo,
        path: str,
        nested: list[tuple[type[BaseModel], str, str]],
    ) -> Key:
        for inner in models_in(info.annotation):
            if self._known(inner) is None:
                form = form_of(inner)
                self.headings[inner] = heading(path, form)
                nested.append((inner, path, form))
        values = in_words(info.annotation, info.metadata, self._link)
        return Key(name, values, _default(model, name, info), _meaning(model, name, info))

    def _known(self, model: type[BaseModel]) -> str | None:
        """Return the heading under which a model is described, itself or with some keys more."""
        return next((title for known, title in self.headings.items() if issubclass(known, model)), None)

    def _link(self, model: type[BaseModel]) -> str:
        title = self._known(model) or ""
        return f"[{form_of(model) or title}](#{anchor(title)})"


def blocks_of(model: type[BaseModel]) -> list[Block]:
    """Return the blocks of a file, the outermost first; nested ones follow the block that they stand in."""
    return list(_Walk().blocks(model, "", ""))


def heading(path: str, form: str) -> str:
    """Return the heading of a block: ``protocol.optimizer adam``."""
    return f"{path} {form}".strip()


def form_of(model: type[BaseModel]) -> str:
    """Return the word by which a file chooses this model, if there is one."""
    key = _chooser(model)
    return str(typing.get_args(model.model_fields[key].annotation)[0]) if key else ""


def _chooser(model: type[BaseModel]) -> str:
    """Return the key that holds that word."""
    return next(
        (
            name
            for name, info in model.model_fields.items()
            if typing.get_origin(info.annotation) is Literal and len(typing.get_args(info.annotation)) == 1
        ),
        "",
    )


def _summary(model: type[BaseModel]) -> str:
    """Return what a class says of itself in Markdown, or its nearest base that says something."""
    texts = (vars(base).get("__doc__") for base in model.__mro__)
    doc = read_docstring(next(filter(None, texts), ""))
    formula = f"\n\n```text\n{doc.formula}\n```\n\n" if doc.formula else " "
    return (prose(doc.summary) + formula + " ".join(map(prose, doc.paragraphs))).strip()


def _default(model: type[BaseModel], name: str, info: FieldInfo) -> str:
    form = form_of(model)
    if info.is_required():
        return "required"
    value = info.get_default(call_default_factory=True, validated_data={})
    with suppress(ValidationError):  # what validators fill in; not where other keys are required
        value = getattr(model.model_validate({_chooser(model): form} if form else {}), name)
    plain = _plain(value)
    if plain in ({}, [], "", None):
        return "see there" if isinstance(value, BaseModel) else "none"
    return f"`{as_yaml(plain)}`"


def _plain(value: Any) -> Any:
    """Return a default as a file would have it: models by the word that chooses them."""
    if isinstance(value, BaseModel):
        form = form_of(type(value))
        given = value.model_dump(mode="json", exclude_defaults=True)
        return {_chooser(type(value)): form, **given} if form else given
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list | tuple) else value


def _meaning(model: type[BaseModel], name: str, info: FieldInfo) -> str:
    """Return what a key means: from our own sentences, else from the class or a base of it."""
    if name == _chooser(model):
        return "Chooses this form."
    for base in model.__mro__:
        if f"{base.__name__}.{name}" in MEANINGS:
            return MEANINGS[f"{base.__name__}.{name}"]
    for base in model.__mro__:
        text = read_docstring(vars(base).get("__doc__")).attributes.get(name)
        if text is not None:
            return prose(markdown(text))
    return ""
