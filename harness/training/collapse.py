"""When a model is no use."""

from collections.abc import Iterable

from harness.training.job import CaseScore

COLLAPSED_DSC = 0.05
COLLAPSED_EMPTY_SHARE = 0.95


def collapse(val_dsc: float, scores: Iterable[CaseScore]) -> str | None:
    """Return why a model is no use, judged on validation cases only, or None.

    Args:
        val_dsc: Validation DSC at the reported checkpoint.
        scores: Scores there; those of test cases are not looked at.
    """
    if val_dsc < COLLAPSED_DSC:
        return f"validation DSC {val_dsc:.3f} is below {COLLAPSED_DSC}"
    reasons: dict[str, set[str | None]] = {}
    for score in scores:
        if score.part == "validation" and score.metric == "dsc":
            reasons.setdefault(score.case, set()).add(score.reason)
    with_foreground = [found for found in reasons.values() if found & {None, "prediction empty"}]
    missed = [found for found in with_foreground if found <= {"prediction empty", "both empty"}]
    if len(missed) >= COLLAPSED_EMPTY_SHARE * len(with_foreground) > 0:
        return (
            f"{len(missed)} of {len(with_foreground)} validation cases with foreground were predicted empty"
        )
    return None
