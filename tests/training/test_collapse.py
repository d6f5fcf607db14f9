"""When a model is no use."""

from dataclasses import replace

from harness.training.collapse import collapse
from harness.training.job import CaseScore


def validation_scores(*reasons: str | None) -> list[CaseScore]:
    return [
        CaseScore(f"c{n}", "validation", "best", 1, "dsc", 0.5, 0.5, reason)
        for n, reason in enumerate(reasons)
    ]


def test_collapse_is_judged_on_validation_only():
    assert collapse(0.04, validation_scores(None)) == "validation DSC 0.040 is below 0.05"
    assert collapse(0.5, validation_scores(None, "prediction empty")) is None
    assert collapse(0.5, validation_scores("prediction empty", "both empty")) == (
        "1 of 1 validation cases with foreground were predicted empty"
    )
    on_test = [replace(score, part="test") for score in validation_scores("prediction empty")]
    assert collapse(0.5, [*validation_scores(None), *on_test]) is None
