"""What is asked of the scores of a study, as its file says it before there are any."""

from collections.abc import Iterable, Sequence
from typing import Annotated

from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator

from harness.errors import nearest
from harness.metrics import METRICS
from harness.strict_yaml import StrictModel

Place = tuple[str | int, ...]
Fault = tuple[Place, str, str]
"""Where it stands, what is wrong, what was given."""

Labels = Annotated[tuple[str, ...], Field(min_length=1)]
Margins = dict[str, PositiveFloat]


class DeclaredContrast(StrictModel):
    """A claim: the mean of some losses is better than the mean of others.

    Attributes:
        name: The claim in words.
        plus: Labels of the losses that are said to be better.
        minus: Labels of those that are said to be worse.
    """

    name: Annotated[str, Field(min_length=1)]
    plus: Labels
    minus: Labels


class Analysis(StrictModel):
    """The plan of the analysis: endpoints, levels and what counts as negligible.

    Attributes:
        metric: Primary endpoint.
        boundary: Co-primary endpoint, for example a distance between surfaces.
        alpha: Level of all looks at test scores together, 0..0.5.
        margins: By metric, the difference up to which losses count as equal: in the metric's own unit, or a
            ratio above 1 for distances in mm (1.1: ten per cent). A metric without one has the default.
        dataset_margins: By dataset, margins that go before these.
        references: Labels of losses that all others are compared with; CE and Dice + CE if absent, where the
            study has them.
        looks: How many looks at test scores are planned; each is taken at its share of ``alpha``.
    """

    metric: str = "dsc"
    boundary: str = "hd95"
    alpha: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    margins: Margins = Field(default_factory=dict)
    dataset_margins: dict[str, Margins] = Field(default_factory=dict)
    references: tuple[str, ...] | None = None
    looks: PositiveInt = 1

    @field_validator("metric", "boundary")
    @classmethod
    def _known_metric(cls, value: str) -> str:
        _check_metric(value)
        return value

    @field_validator("margins")
    @classmethod
    def _sensible_margins(cls, value: Margins) -> Margins:
        _check_margins(value)
        return value

    @field_validator("dataset_margins")
    @classmethod
    def _sensible_own_margins(cls, value: dict[str, Margins]) -> dict[str, Margins]:
        for margins in value.values():
            _check_margins(margins)
        return value

    @model_validator(mode="after")
    def _two_endpoints(self) -> "Analysis":
        if self.metric == self.boundary:
            raise ValueError(f"metric and boundary are both {self.metric!r}; choose two endpoints")
        return self


def faults(
    analysis: Analysis, contrasts: Sequence[DeclaredContrast], labels: Sequence[str], datasets: Sequence[str]
) -> Iterable[Fault]:
    """Yield what does not fit the study.

    Args:
        analysis: Its plan.
        contrasts: Its claims.
        labels: Of its losses, tuned arms included.
        datasets: As the study names them. Manifests have a name of their own inside, which is not known here.
    """
    for label in analysis.references or ():
        if label not in labels:
            yield ("analysis", "references"), _no_loss(label, labels), label
    named = {name for each in datasets for name in (each, f"{each}-sim")}
    if not any(each.endswith((".yaml", ".yml")) for each in datasets):
        for name in analysis.dataset_margins:
            if name not in named:
                hint = nearest(name, datasets) or f"; it has {', '.join(datasets)}"
                yield (
                    ("analysis", "dataset_margins", name),
                    f"the study has no dataset {name!r}{hint}",
                    name,
                )
    for index, contrast in enumerate(contrasts):
        if contrast.name in [each.name for each in contrasts[:index]]:
            told = f"contrast {contrast.name!r} stands twice; give each its own name"
            yield ("contrasts", index, "name"), told, contrast.name
        for side, own in (("plus", contrast.plus), ("minus", contrast.minus)):
            for place, label in enumerate(own):
                if label not in labels:
                    yield ("contrasts", index, side, place), _no_loss(label, labels), label
                if label in own[:place]:
                    told = f"loss {label!r} stands twice on one side; leave one out"
                    yield ("contrasts", index, side, place), told, label
        both = sorted({*contrast.plus} & {*contrast.minus})
        if both:
            told = f"loss {both[0]!r} stands on both sides of the contrast; leave it out of one"
            yield ("contrasts", index), told, contrast.name


def _no_loss(label: str, labels: Sequence[str]) -> str:
    return f"the study has no loss {label!r}{nearest(label, labels) or '; it has ' + ', '.join(labels)}"


def _check_metric(name: str) -> None:
    if name not in METRICS:
        raise ValueError(
            f"unknown metric {name!r}{nearest(name, METRICS) or '; known: ' + ', '.join(METRICS)}"
        )


def _check_margins(margins: Margins) -> None:
    for name, margin in margins.items():
        _check_metric(name)
        if METRICS[name].unit == "mm" and margin <= 1:
            raise ValueError(
                f"the margin of {name} is a ratio of distances and must be above 1: 1.1 for ten per cent "
                f"(got {margin:g})"
            )
