"""Tables: one frame each, written as Markdown, CSV, LaTeX and HTML.

To add a table, put a module here with a function of :class:`reports.results.StudyResults` that returns
:class:`Table` or :class:`WordTable` objects, decorated with ``@register_table("T2", "name")``; where data are
missing it raises :class:`NothingToTell` with a sentence, or returns none where nobody would expect one.

``model`` says what a table is, ``score_table`` makes tables of scores (``scores`` the main one, with
``standing`` and ``published`` beside the means, ``supplements`` those by class, metric and checkpoint),
``printed_rows`` says which printed numbers stand beside which row, the modules named after T2 to T7 and the
other supplements tell the statistics in words and numbers, ``notes`` and ``numbers`` hold what they say
alike, and ``write``, ``latex`` and ``html`` the formats. What may come in:
:class:`reports.results.StudyResults`, statistics that are computed already, and printed numbers.
"""

from reports.tables.model import Cell, Column, Row, Table, WordTable
from reports.tables.registry import TABLES, NothingToTell, TableEntry, tables_in_order
from reports.tables.scores import main_table
from reports.tables.supplements import class_tables
from reports.tables.write import (
    as_csv,
    as_html,
    as_latex,
    as_markdown,
    as_plain_text,
    write_table,
    write_words,
)

__all__ = [
    "TABLES",
    "Cell",
    "Column",
    "NothingToTell",
    "Row",
    "Table",
    "TableEntry",
    "WordTable",
    "as_csv",
    "as_html",
    "as_latex",
    "as_markdown",
    "as_plain_text",
    "class_tables",
    "main_table",
    "tables_in_order",
    "write_table",
    "write_words",
]
