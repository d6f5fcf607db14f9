"""docs/metrics.md says what the registry says."""

from pathlib import Path

import pytest

from harness.metrics import METRICS
from harness.metrics.lesion import SIZE_BINS
from harness.metrics.metric import Metric
from tests.metrics.test_policy import TABLE

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")


def row(metric: Metric) -> str:
    cells = (metric.title, metric.unit, metric.direction, str(metric.version), metric.description)
    return f"| `{metric.name}` | {' | '.join(cells)} |".replace("|  |", "| |")


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_is_on_the_page_as_the_database_has_it(name: str) -> None:
    assert row(METRICS[name]) in PAGE, f"docs/metrics.md wants this row:\n{row(METRICS[name])}"


def test_the_page_lists_no_metric_that_is_gone() -> None:
    listed = PAGE.partition("## The metrics")[2].partition("## Definitions")[0]
    assert sum(line.startswith("| `") for line in listed.splitlines()) == len(METRICS)


def test_every_metric_is_in_the_table_of_undefined_values_as_the_policy_has_it() -> None:
    lines = PAGE.partition("## Undefined values")[2].partition("## Beside")[0].splitlines()
    cells = {
        name.strip(" `"): [cell.strip() for cell in rest]
        for line in lines
        if line.startswith("| `")
        for names, *rest in [line.strip("| ").split("|")]
        for name in names.split(",")
    }
    assert set(cells) == set(METRICS)
    for name, situations in TABLE.items():
        for (raw, _), cell in zip(situations, cells[name], strict=True):
            assert ("NULL" in cell) == (raw is None or cell.startswith("0, or")), (name, cell)


def test_the_limits_of_the_size_bins_are_on_the_page() -> None:
    for each in SIZE_BINS:
        assert each.name in PAGE
    assert "small below 0.1 ml, medium from 0.1 ml to below 1 ml, large from 1 ml" in PAGE
