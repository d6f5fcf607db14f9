"""Labels are user data: what to do before they enter LaTeX or Markdown (jinja2 escapes HTML)."""

import re
import unicodedata

_NOTHING = "\0"


def _greek(letter: str) -> str:
    *_, size, _, name = unicodedata.name(letter).replace("LAMDA", "LAMBDA").split()
    return name.lower() if size == "SMALL" else name.capitalize()


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
    "—": "---",
    "×": r"$\times$",
    "≤": r"$\leq$",
    "≥": r"$\geq$",
    "≈": r"$\approx$",
    "∞": r"$\infty$",
    "√": r"$\surd$",
    "†": r"$\dagger$",
    "★": r"$\star$",
    "←": r"$\leftarrow$",
    "↑": r"$\uparrow$",
    "→": r"$\rightarrow$",
    "↓": r"$\downarrow$",
    "’": "'",
    "\u202f": r"\,",
    **dict.fromkeys("\u2010\u2011", "-"),
    **{letter: rf"$\{_greek(letter)}$" for letter in "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΦΨΩ"},
}
_LATIN = frozenset("¡£§©ª®°²³´µ¶·¹º¿ÆæØøŒœßŁłı‘“”„…€™")
"""What every font of pdflatex has, beside ASCII and letters with accents."""

_ACCENTS = frozenset("\u0300\u0301\u0302\u0303\u0304\u0306\u0307\u0308\u030a\u030b\u030c\u0327")
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
    """Return ``text`` so that LaTeX prints it as it is; what pdflatex has no letter for by its number.

    >>> latex("a&b_<c>")
    'a\\\\&b\\\\_\\\\textless{}c\\\\textgreater{}'
    >>> latex("a 損")
    'a [U+640D]'
    """
    composed = unicodedata.normalize("NFC", one_line(text))
    apart = re.sub("-(?=-)", f"-{_NOTHING}", composed)  # two hyphens, not a dash
    found = "".join(map(_in_latex, apart))
    # A row of a table ends in \\, which takes a bracket or star at the start of the next one for its own.
    return f"{{}}{found}" if found.startswith(("[", "*")) else found


def _in_latex(character: str) -> str:
    if character in _LATEX:
        return _LATEX[character]
    if character.isascii() or character in _LATIN:
        return character
    first, *marks = list(unicodedata.normalize("NFD", character))
    if first.isascii() and len(marks) == 1 and marks[0] in _ACCENTS and ord(character) < 0x180:
        return character
    return f"[U+{ord(character):04X}]"


def markdown(text: str) -> str:
    r"""Return ``text`` so that Markdown shows it as it is, table cells included.

    >>> markdown("a&b|c")
    'a&amp;b\\|c'
    """
    entities = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", entities)
