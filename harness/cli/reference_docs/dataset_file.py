"""The page of the dataset description, the manifest: every key, and what there is by name."""

from collections.abc import Iterable

from harness.cli.loss_docs.docstrings import markdown, read_docstring
from harness.cli.markdown import prose, table
from harness.cli.reference_docs.schema import blocks_of
from harness.cli.reference_docs.yaml_page import NOTE, contents, joined, sections
from harness.data.description import DatasetDescription, catalogue
from harness.data.layouts import LAYOUTS

INTRODUCTION = """\
# Dataset file

A dataset is described by one YAML file. Those of the catalogue ship with lossbench; your own is called a
*manifest*, and `lossbench data init FOLDER` writes a first one. This page lists every key; the
[guide to data](../data.md) shows them in one example and says what becomes of them.

`--set KEY=VALUE` of the `lossbench data` commands changes a key for one call: `--set labels.2=ignore`.
"""


def page() -> str:
    """Return the page."""
    blocks = blocks_of(DatasetDescription)
    parts = [NOTE, INTRODUCTION, contents(blocks), "## Top level", *sections(blocks)]
    return joined([*parts, "## Layouts", _layouts(), "## Catalogue", _catalogue()])


def _layouts() -> str:
    rows = (
        (f"`{name}`", prose(markdown(read_docstring(layout.__doc__).summary)))
        for name, layout in LAYOUTS.items()
    )
    return table(("layout", "reads"), rows)


def _catalogue() -> str:
    rows = (
        (f"`{name}`", each.title, f"`{each.layout}`", _listed(each.channels), _listed(each.classes.values()))
        for name, each in catalogue().items()
    )
    return table(("dataset", "title", "layout", "channels", "classes"), rows)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
