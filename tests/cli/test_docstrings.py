"""Docstrings and annotations, as the reference of the losses reads them."""

import pytest

from harness.cli.loss_docs.docstrings import first_sentence, markdown, read_docstring, simple_table
from harness.cli.loss_docs.parameters import as_yaml, parameters_of
from harness.losses import LOSSES


def test_docstrings_are_taken_apart():
    doc = read_docstring(
        """First line.

        ::

            a = b

        Prose, see :func:`f` and
        ``code``. Parameters: see
        :class:`Base`.

        Reference: X et al., 2020. Elsewhere: nnU-Net has none.

        Args:
            a: One.
            options: Others,
                on two lines.

        Raises:
            ValueError: never.
        """
    )
    assert doc.summary == "First line."
    assert doc.formula == "a = b"
    assert doc.paragraphs == ("Prose, see `f` and `code`.",)
    assert (doc.reference, doc.elsewhere) == ("X et al., 2020.", "nnU-Net has none.")
    assert doc.arguments == {"a": "One.", "options": "Others, on two lines."}


@pytest.mark.parametrize("text", [None, "", "One line", "One line.\n\nArgs:\n    x: y"])
def test_any_docstring_can_be_read(text):
    assert read_docstring(text).formula == ""


def test_small_pieces_of_text():
    assert markdown(":class:`~a.b.C` and ``d``") == "`C` and `d`"
    assert first_sentence("Weights, Wu et al. 2016, eq. 3. The rest.") == "Weights, Wu et al. 2016, eq. 3."
    rows = simple_table("Text.\n\n=====  ====\nname   what\n=====  ====\n``a``  x\n       y\n=====  ====\n")
    assert rows == [["name", "what"], ["`a`", "x y"]]
    assert simple_table("no table") == []
    assert [as_yaml(value) for value in (None, True, 2, 2.0, 1e-05, "a", [0.5, None], {"a": 1.5})] == [
        "null", "true", "2", "2.0", "1e-05", "a", "[0.5, null]", "{a: 1.5}",
    ]  # fmt: skip


def test_types_are_words():
    types = {each.name: each.type for each in parameters_of(LOSSES["focal"])}
    assert types == {"gamma": "number", "class_weights": "list of numbers or null"}
    assert {each.name: each.choices for each in parameters_of(LOSSES["boundary"])}["dimensions"] == (2, 3)
