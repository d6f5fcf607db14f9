"""What pages beside the report are made of: its templates, style and scripts."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

_HERE = Path(__file__).parent
STYLES = ("report.css", "tables.css", "print.css")
SCRIPTS = ("tables.js", "page.js")
"""Sorting and filtering of tables, theme, place of the reader."""


def environment(folder: Path) -> Environment:
    """Return an environment that finds the templates of a folder and the report's macros."""
    return Environment(
        loader=FileSystemLoader([folder, _HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def asset(*names: str) -> Markup:
    """Return files of this folder, for inside a page."""
    return Markup("\n".join((_HERE / name).read_text(encoding="utf-8") for name in names))
