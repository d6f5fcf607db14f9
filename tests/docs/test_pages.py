"""What explanations and how-to pages show: their code runs, their numbers are those of the evidence."""

import re
import sys
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch

from harness.cli.loss_docs.entries import describe_loss
from harness.metrics import METRICS, evaluate_case
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from reports.figures import FIGURES
from tests.docs.reader import ROOT

DOCS = ROOT / "docs"
HEAD = "study: example\ndatasets: [wmh2017]\n"


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def test_the_loss_of_the_recipe_is_a_loss_and_its_study_is_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    (code,), (losses,) = blocks("how-to/add-a-loss.md", "python"), blocks("how-to/add-a-loss.md", "yaml")
    module = ModuleType("my_losses")
    exec(code, vars(module))
    vars(module)["BoundedCE"].__module__ = "my_losses"
    monkeypatch.setitem(sys.modules, "my_losses", module)
    study = validate(Study, read(HEAD + losses, "s.yaml"), "s.yaml")
    assert [len(entry.spec().terms) for entry in study.losses] == [2, 1, 1, 2]
    assert describe_loss("my_losses:BoundedCE").kind == "import path"
    logits = torch.tensor([[[[9.0]], [[-9.0]]]])
    assert float(study.losses[1].spec().build()(logits, torch.ones(1, 1, 1, dtype=torch.long))) == 3.0


def test_the_metric_of_the_recipe_is_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(METRICS, "_entries", dict(METRICS._entries))
    module = ModuleType("my_metrics")
    exec(blocks("how-to/add-a-metric.md", "python")[0], vars(module))
    monkeypatch.setitem(sys.modules, "my_metrics", module)
    truth = np.zeros((1, 2, 4), np.uint8)
    truth[0, :, :2] = 1
    prediction = np.roll(truth, 1, axis=2)
    (score,) = evaluate_case(prediction, truth, (1, 1, 1), 2, ("my_metrics:VOE",))
    assert (score.metric, score.value) == ("voe", pytest.approx(200 / 3))


@pytest.mark.parametrize("page", ["how-to/own-training-loop.md", "explanation/distance-maps.md"])
def test_python_of_the_page_runs_and_prints_what_it_says(
    page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (code,) = blocks(page, "python")
    exec(code, {})
    said = re.findall(r"print\(.*\)  # (.*)$", code, re.MULTILINE)
    assert capsys.readouterr().out.splitlines() == said


def test_the_schedules_of_the_explanation_are_valid() -> None:
    (losses,) = blocks("explanation/alpha-schedules.md", "yaml")
    assert len(validate(Study, read(HEAD + losses, "s.yaml"), "s.yaml").losses) == 2


def test_the_figure_of_the_recipe_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    from types import SimpleNamespace

    from reports.results import ListedLoss

    monkeypatch.setattr(FIGURES, "_entries", dict(FIGURES._entries))
    names: dict[str, object] = {}
    exec(blocks("how-to/add-a-figure.md", "python")[0], names)
    results = SimpleNamespace(
        losses=[ListedLoss("CE", "distribution", "ce"), ListedLoss("Dice", "region", "dice")],
        trials=pd.DataFrame({"label": ["CE", "Dice", "Dice"], "seconds": [3.0, 4.0, 5.0]}),
    )
    (drawing,) = FIGURES["training_time"].draw(results)  # type: ignore[arg-type]
    assert drawing.data is not None
    assert list(drawing.data["seconds"]) == [3.0, 4.0, 5.0]


def test_the_numbers_against_case_only_tests_are_those_of_the_evidence() -> None:
    page = (DOCS / "explanation" / "case-only-tests.md").read_text(encoding="utf-8")
    pairs = pd.read_csv(DOCS / "evidence" / "small_data" / "pairs.csv").query("metric == 'dsc'")
    for title, dataset in (("hippocampus", "msd_hippocampus"), ("MS lesions", "tabriz_ms_wmh")):
        own = pairs[pairs["dataset"] == dataset]
        claimed, supported = own["case_only_holm"] <= 0.05, own["holm"] <= 0.05
        counts = (len(own), claimed.sum(), supported.sum(), (claimed & ~supported).sum())
        assert f"| {title} | {' | '.join(map(str, counts))} |" in page
    hippocampus = pairs[pairs["dataset"] == "msd_hippocampus"]
    stays = hippocampus[hippocampus["holm"] <= 0.05]
    assert all({a, b} & {"GDL", "GDL + BL"} for a, b in zip(stays["a"], stays["b"], strict=True))
    example = hippocampus.query("a == 'Dice' and b == 'Focal'").iloc[0]
    assert round(example["difference"], 3) == -0.028
    assert (round(example["low"], 3), round(example["high"], 3)) == (-0.052, -0.004)
    assert round(example["holm"], 2) == 0.67
    assert round(example["v_seed"] / example["v_case"]) == 14


def test_links_of_the_readme_lead_to_files() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        assert (ROOT / target).exists(), target


def test_no_page_needs_the_website_to_be_read() -> None:
    """GitHub shows the same files: no syntax that only the website's theme knows."""
    for path in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"^(!!!|\?\?\?|===) |:material-|\{\s*[.#][\w-]+\s*\}", text, re.MULTILINE), path
