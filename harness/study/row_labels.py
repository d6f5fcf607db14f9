"""Labels of the rows that variants make; read from recorded studies without importing any loss."""

from collections.abc import Mapping, Sequence
from typing import Any


def varied_label(loss: str, variant: str) -> str:
    """Return the label of a loss in a variant."""
    return f"{loss} ({variant})"


def variant_labels(resolved: Mapping[str, Any], loss: Mapping[str, Any]) -> list[str]:
    """Return the labels of a loss's variants from the recorded form of a study.

    Args:
        resolved: The study as JSON.
        loss: One of its losses.
    """
    alpha = loss.get("alpha")
    known = not isinstance(alpha, str) and not (isinstance(alpha, Mapping) and "from_study" in alpha)
    variants: Sequence[Mapping[str, Any]] = resolved.get("variants") or ()
    label = str(loss.get("label"))
    return [
        varied_label(label, str(variant["label"]))
        for variant in variants
        if (known if variant.get("losses") is None else label in variant["losses"])
    ]
