"""The reference pages: up to date, whole, and the same on every machine."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from harness.cli.main import app
from harness.cli.reference_docs import dataset_file, pages, study_file
from harness.cli.reference_docs.meanings import MEANINGS
from harness.cli.reference_docs.pages import PAGES, write
from harness.cli.reference_docs.schema import blocks_of
from harness.data.augment import AUGMENTATIONS
from harness.data.description import DatasetDescription
from harness.errors import InputError
from harness.losses import ALPHA_SCHEDULES
from harness.models import MODELS
from harness.study.spec import Study
from harness.tuning.pruners import PRUNERS
from harness.tuning.samplers import SAMPLERS
from reports.figures import FIGURES
from reports.tables.registry import tables_in_order
from tests.docs.reader import ROOT

DOCS = ROOT / "docs"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_up_to_date(name: str) -> None:
    page = PAGES[name]()
    assert (DOCS / name).read_text(encoding="utf-8") == page, f"docs/{name} is stale; run: make docs"
    assert str(ROOT) not in page
    assert str(Path.home()) not in page


def test_pages_are_written_where_they_are_stale_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "PAGES", {"a.md": lambda: "a\n", "inner/b.md": lambda: "b\n"})
    assert write(tmp_path) == [tmp_path / "a.md", tmp_path / "inner" / "b.md"]
    (tmp_path / "a.md").write_text("stale")
    assert write(tmp_path) == [tmp_path / "a.md"]
    with pytest.raises(InputError, match="no folder"):
        write(tmp_path / "nowhere")


@pytest.mark.parametrize("model", [Study, DatasetDescription])
def test_every_key_has_a_meaning(model: type) -> None:
    silent = [
        f"{block.heading}: {key.name}" for block in blocks_of(model) for key in block.keys if not key.meaning
    ]
    assert not silent, "say it in the docstring under 'Attributes:', or in reference_docs/meanings.py"


def test_no_sentence_is_left_over() -> None:
    text = study_file.page() + dataset_file.page()
    assert [name for name, sentence in MEANINGS.items() if sentence not in text] == []


def test_every_form_of_a_key_has_a_section() -> None:
    headings = set(re.findall(r"^##+ (.*)$", study_file.page(), re.MULTILINE))
    for path, forms in {
        "protocol.augment": AUGMENTATIONS,
        "losses.alpha": ALPHA_SCHEDULES,
        "tuning.sampler": SAMPLERS,
        "tuning.pruner": PRUNERS,
        "model": MODELS,
    }.items():
        assert {f"{path} {form}" for form in forms} <= headings, path
    assert {
        "variants",
        "analysis",
        "contrasts",
        "datasets.split kfold",
        "protocol.lr_schedule poly",
    } <= headings


def test_every_command_and_option_is_on_the_page_of_the_command_line() -> None:
    page = PAGES["reference/command-line.md"]()
    sections = dict(re.findall(r"^## (lossbench .*?)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    wanted = {}
    for name, command in get_command(app).commands.items():  # type: ignore[attr-defined]
        for inner, own in getattr(command, "commands", {"": command}).items():
            wanted[f"lossbench {name} {inner}".strip()] = own
    assert sections.keys() == wanted.keys()
    for name, command in wanted.items():
        for parameter in command.params:
            written = parameter.opts[0] if parameter.opts[0].startswith("-") else ""
            assert f"`{written}" in sections[name]
            assert parameter.help, f"{name} {parameter.name} has no help"


def test_every_figure_and_table_is_on_the_page_of_the_report() -> None:
    page = PAGES["reference/figures-and-tables.md"]()
    for entry in (*FIGURES.values(), *tables_in_order()):
        (row,) = [line for line in page.splitlines() if line.startswith(f"| {entry.code} | `{entry.name}` |")]
        assert len(row.split(" | ")[2]) > 10
