"""Labels are user data: what to do before they enter LaTeX or Markdown (HTML is jinja2's business)."""

import re

_LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "×": r"$\times$",
    "α": r"$\alpha$",
    "β": r"$\beta$",
    "γ": r"$\gamma$",
    "δ": r"$\delta$",
    "λ": r"$\lambda$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
}
_MARKDOWN = re.compile(r"([\\`*_\[\]|$#~])")


def one_line(text: str) -> str:
    """Return ``text`` with line breaks and runs of blanks made single blanks."""
    return " ".join(text.split())


def latex(text: str) -> str:
    """Return ``text`` so that LaTeX prints it as it is.

    >>> latex("a&b_<c>")
    'a\\\\&b\\\\_\\\\textless{}c\\\\textgreater{}'
    """
    return "".join(_LATEX.get(character, character) for character in one_line(text))


def markdown(text: str) -> str:
    r"""Return ``text`` so that Markdown shows it as it is, table cells included.

    >>> markdown("a&b|c")
    'a&amp;b\\|c'
    """
    entities = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", entities)
