"""docs/losses.md: fresh, whole, and everything in it works."""

import re
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from harness.bench.peers import PEERS
from harness.cli.loss_docs import markdown_page
from harness.cli.loss_docs.entries import all_entries, describe_loss
from harness.losses import ALIASES, ALPHA_SCHEDULES, LOSSES, Loss
from harness.strict_yaml import read, validate
from harness.study.spec import Study
from harness.training.protocol import Sgd

DOCS = Path(__file__).resolve().parents[2] / "docs"
HEAD = "study: example\ndatasets: [wmh2017]\n"


@pytest.fixture(scope="module")
def page():
    return markdown_page.reference()


@pytest.fixture
def registry(monkeypatch):
    """Let a test register a loss that is gone afterwards."""
    monkeypatch.setattr(LOSSES, "_entries", dict(LOSSES._entries))


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)


def test_the_file_is_fresh(page):
    stored = (DOCS / "losses.md").read_text(encoding="utf-8")
    assert stored == page, "docs/losses.md is stale; run: lossbench losses --markdown > docs/losses.md"


def test_the_page_is_the_same_every_time_and_tells_nothing_about_this_machine(page):
    assert page == markdown_page.reference()
    assert str(Path.home()) not in page
    assert str(DOCS.parent) not in page
    assert "0x" not in page
    assert all(line == line.rstrip() for line in page.splitlines())


def test_every_loss_alias_schedule_and_peer_is_there(page):
    headings = re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    shipped = [entry.name for entry in all_entries() if entry.ships_with_lossbench and entry.kind == "loss"]
    assert len(headings) == len(set(map(str.lower, headings)))  # or GitHub's anchors would be numbered
    assert set(shipped) <= set(headings)
    for name in (*ALIASES, *ALPHA_SCHEDULES, *(peer for peer in PEERS if peer in {*LOSSES, *ALIASES})):
        assert f"| `{name}` |" in page
    for name in shipped:
        elsewhere = describe_loss(name).doc.elsewhere
        assert not elsewhere or f"| [`{name}`](#{name}) | {elsewhere[:20]}" in page


def test_every_search_space_is_there(page):
    for name, loss in LOSSES.items():
        section = page[page.index(f"\n### {name}\n") :].split("\n### ")[1]
        for key, space in loss.spaces.items():
            (row,) = [line for line in section.splitlines() if line.startswith(f"| `{key}` |")]
            assert f" | {space} | " in row
    for name, schedule in ALPHA_SCHEDULES.items():
        (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
        assert all(f"`{key}` {space}" in row for key, space in schedule.spaces.items())
    assert f"| `sgd` | {Sgd.lr_space} |" in page


def test_tables_have_as_many_cells_as_their_heading(page):
    cells = None
    for line in re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE).splitlines():
        if not line.startswith("|"):
            cells = None
            continue
        found = len(re.findall(r"(?<!\\)\|", line))
        assert found == (cells or found), line
        cells = found


def test_every_link_leads_somewhere(page):
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", page, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`]*`", "", page)):
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert (DOCS / target).is_file(), (
                f"{target} is missing; lossbench losses --help says how to draw it"
            )


def test_no_markup_of_the_docstrings_is_left(page):
    prose = re.sub(r"^```.*?^```", "", page, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r":\w+:`", prose)
    assert "``" not in prose.replace("`::`", "")


def test_what_study_files_are_shown_is_valid(page, monkeypatch):
    class MyLoss(Loss):
        name, family, reference = "mine", "region", "nobody"

        def __init__(self, *, power: float = 2.0) -> None:
            super().__init__()

        def value(self, batch):
            return batch.z.sum()

    monkeypatch.setitem(sys.modules, "my_package", types.ModuleType("my_package"))
    module = types.ModuleType("my_package.losses")
    module.MyLoss = MyLoss
    monkeypatch.setitem(sys.modules, "my_package.losses", module)
    shown = blocks(page, "yaml")
    assert len(shown) > len(LOSSES)
    for text in shown:
        losses = text if text.startswith("losses:") else f"losses:\n{text}"
        validate(Study, read(HEAD + losses, "example.yaml"), "example.yaml")


class _Trainer:
    """As much of nnU-Net's trainer as the example touches."""

    label_manager = types.SimpleNamespace(ignore_label=2)


def test_the_python_examples_run(page, registry, capsys):
    torch.manual_seed(0)
    loader = [{"image": torch.rand(2, 1, 16, 16), "label": torch.ones(2, 1, 16, 16)} for _ in range(2)]
    loader[0]["label"][:, :, :8] = 0
    model = nn.Conv2d(1, 2, 1)
    before = model.weight.detach().clone()
    names = {
        "loader": loader,
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "epochs": 2,
        "nnUNetTrainer": _Trainer,
    }
    for code in blocks(page, "python"):
        exec(code, names)
    assert not torch.equal(before, model.weight)
    assert capsys.readouterr().out == "['distance_maps']\n"
    assert torch.isfinite(names["value"])
    loss = names["Trainer"]()._build_loss()
    labels = torch.randint(0, 3, (2, 1, 8, 8))
    assert torch.isfinite(loss(torch.randn(2, 2, 8, 8), labels.float()))


def test_the_new_loss_is_a_loss_with_documentation(page, registry):
    (code,) = [code for code in blocks(page, "python") if "@register" in code]
    exec(code, {"__name__": "example"})
    entry = describe_loss("generalised_ce")
    assert entry.doc.formula == "L = 1/N sum_i (1 - p_y(i)^q) / q"
    assert entry.parameters[0].description.startswith("Large values forgive")
    p = torch.tensor([0.9, 0.7, 0.6, 0.9])
    logits = torch.stack([1 - p, p])[None, :, None, :].log()
    value = LOSSES["generalised_ce"]()(logits, torch.ones(1, 1, 4, dtype=torch.long))
    assert value.item() == pytest.approx(float(((1 - p**0.7) / 0.7).mean()))


def test_the_loop_runs_on_batches_of_monai(page):
    data = pytest.importorskip("monai.data", reason="MONAI is not installed (the 'test' extra)")
    items = [
        {"image": data.MetaTensor(torch.rand(1, 8, 8)), "label": data.MetaTensor(torch.ones(1, 8, 8))}
        for _ in range(4)
    ]
    model = nn.Conv2d(1, 2, 1)
    names = {
        "loader": data.DataLoader(data.Dataset(items), batch_size=2),
        "model": model,
        "optimizer": torch.optim.SGD(model.parameters(), lr=0.1),
        "epochs": 1,
    }
    (code,) = [code for code in blocks(page, "python") if "for epoch" in code]
    exec(code, names)
    assert torch.isfinite(names["value"].detach())
