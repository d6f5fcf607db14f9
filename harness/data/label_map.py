"""Which class every stored code of a label map stands for, where no manifest says so."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.data.case import IGNORE
from harness.errors import InputError
from harness.strict_yaml import StrictModel, read, validate

Model = TypeVar("Model", bound=StrictModel)


@dataclass(frozen=True)
class LabelMap:
    """Stored code -> class index, for truths and for predictions.

    Attributes:
        truth: Of truths; :data:`IGNORE` where the truth counts as unknown.
        prediction: Of predictions, class indices only.
        classes: Names of the foreground classes, the first for index 1.
    """

    truth: Mapping[int, int]
    prediction: Mapping[int, int]
    classes: tuple[str, ...]

    @property
    def n_classes(self) -> int:
        """Number of classes, background included."""
        return len(self.classes) + 1


class _Codes(StrictModel):
    value: dict[int, int | Literal["ignore"]]


class _Names(StrictModel):
    value: dict[int, str]


def label_map_of(
    labels: str | None, pred_labels: str | None, classes: str | None, codes: Iterable[int]
) -> LabelMap:
    """Return the label map that a user wrote, or the one that the truths suggest.

    Args:
        labels: YAML mapping of code to class index or ``ignore``, as under ``labels`` in a manifest.
        pred_labels: The same for predictions; ``labels`` without what it ignores if absent.
        classes: YAML mapping of class index to name, as under ``classes`` in a manifest.
        codes: Those that the truths hold; used where neither ``labels`` nor ``classes`` is given.

    Raises:
        InputError: if a text is no such mapping, or classes have gaps or no name.
    """
    names = _parsed(_Names, "--classes", classes).value if classes else {}
    if labels:
        truth = {
            code: IGNORE if target == "ignore" else target
            for code, target in _parsed(_Codes, "--labels", labels).value.items()
        }
    elif names:
        truth = {index: index for index in names}
    else:
        truth = {code: place for place, code in enumerate(sorted(set(codes) - {0}), start=1)}
    truth = {0: 0} | truth
    count = _count(truth, names)
    prediction = {code: index for code, index in truth.items() if index != IGNORE}
    if pred_labels:
        prediction = {0: 0} | _of_prediction(pred_labels, count)
    named = names or {index: _default_name(index, truth) for index in range(1, count + 1)}
    return LabelMap(truth, prediction, tuple(named[index] for index in sorted(named)))


def unknown_codes(stored: Iterable[float], known: Mapping[int, int]) -> list[float]:
    """Return the stored codes that a map does not have, fractions and NaN included."""
    return [code for code in stored if code not in known]


def to_classes(stored: NDArray[np.generic], known: Mapping[int, int]) -> NDArray[np.uint8]:
    """Return the class indices of an array of codes, all of which the map has."""
    labels = np.zeros(stored.shape, np.uint8)
    for code, index in known.items():
        if index:
            labels[stored == code] = index
    return labels


def _parsed(model: type[Model], option: str, text: str) -> Model:
    braced = text if text.strip().startswith("{") else f"{{{text}}}"
    return validate(model, read(f"value: {braced}", f"{option} {text!r}"), f"{option} {text!r}")


def _count(truth: Mapping[int, int], names: Mapping[int, str]) -> int:
    """Return the number of foreground classes."""
    used = {index for index in truth.values() if index not in {0, IGNORE}}
    expected = set(range(1, max(used | set(names), default=0) + 1))
    if not expected:
        raise InputError(
            "no truth holds a label other than 0, so there is no class to score; name the classes with "
            "--classes, for example --classes '1: lesion'"
        )
    if len(expected) >= IGNORE or min(used | set(names)) < 1:
        raise InputError(f"classes must lie in 1..{IGNORE - 1}; correct --labels or --classes")
    missing = sorted(expected - (set(names) if names else used))
    if missing:
        option = "--classes" if names else "--labels"
        raise InputError(f"{option}: classes must be numbered 1, 2, ... without gaps; add class {missing[0]}")
    return len(expected)


def _of_prediction(text: str, count: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for code, target in _parsed(_Codes, "--pred-labels", text).value.items():
        if target == "ignore" or not 0 <= target <= count:
            raise InputError(
                f"--pred-labels: code {code} points to {target!r}, which is no class in 0..{count}; only a "
                "truth can be ignored"
            )
        found[code] = target
    return found


def _default_name(index: int, truth: Mapping[int, int]) -> str:
    codes = [code for code, target in truth.items() if target == index]
    return f"label {codes[0]}" if len(codes) == 1 else f"class {index}"
