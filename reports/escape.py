"""Labels are user data: what to do before they enter LaTeX or Markdown (jinja2 escapes HTML)."""

import re

_NOTHING = "\0"
_LATEX = {
    _NOTHING: "{}",
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
_UNPRINTABLE = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of what follows."""

_MARKDOWN = re.compile(r"([\\`*_\[\]|$#~])")


def printable(text: str) -> str:
    r"""Return ``text`` with control characters, and those that turn the direction of writing, made ``?``.

    >>> printable("a\u202eb\n")
    'a?b\n'
    """
    return _UNPRINTABLE.sub("?", text)


def one_line(text: str) -> str:
    r"""Return ``text`` with line breaks and runs of blanks made single blanks, unprintable characters ``?``.

    >>> one_line("bell\x07 and\nnewline")
    'bell? and newline'
    """
    return " ".join(printable(text).split())


def latex(text: str) -> str:
    """Return ``text`` so that LaTeX prints it as it is.

    >>> latex("a&b_<c>")
    'a\\\\&b\\\\_\\\\textless{}c\\\\textgreater{}'
    """
    apart = re.sub("-(?=-)", f"-{_NOTHING}", one_line(text))  # two hyphens, not a dash
    found = "".join(_LATEX.get(character, character) for character in apart)
    # A row of a table ends in \\, which takes a bracket or star at the start of the next one for its own.
    return f"{{}}{found}" if found.startswith(("[", "*")) else found


def markdown(text: str) -> str:
    r"""Return ``text`` so that Markdown shows it as it is, table cells included.

    >>> markdown("a&b|c")
    'a&amp;b\\|c'
    """
    entities = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", entities)
