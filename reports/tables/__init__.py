"""Tables: one frame each, written as Markdown, CSV, LaTeX and (by the page) HTML.

``model`` says what a table is, ``scores`` builds the main table and the per-class supplements, ``tuning``
the tables of searches, ``notes`` the sentences below them, ``write`` the formats. What may come in:
:class:`reports.results.StudyResults`.
"""

from reports.tables.model import Cell, Column, Row, Table, WordTable
from reports.tables.scores import class_tables, main_table
from reports.tables.write import as_csv, as_latex, as_markdown, as_plain_text, write_table, write_words

__all__ = [
    "Cell",
    "Column",
    "Row",
    "Table",
    "WordTable",
    "as_csv",
    "as_latex",
    "as_markdown",
    "as_plain_text",
    "class_tables",
    "main_table",
    "write_table",
    "write_words",
]
