"""What surrounds the rows of a table in LaTeX: the environment, its packages, its notes."""

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from reports.escape import latex, one_line

SEPARATION = 3.0
"""Points beside every column."""

LANDSCAPE = 690.0
"""Points of width of a page that lies on its side."""

LONGEST = 42
"""Rows of a page, with room for caption and notes."""

LONGEST_LANDSCAPE = 24

_LONGEST_WORD = 18
"""Characters of a word that stay on one line."""

_CHARACTER = 4.25
"""Points of a character on average, at footnote size."""


@dataclass(frozen=True)
class Body:
    """The inside of a table.

    Attributes:
        shape: Of the columns, as ``tabular`` takes it.
        head: Lines of the head.
        rows: Lines of the rows.
        width: In points, about.
        height: In lines of text, about.
        wide: Whether it only fits a page that lies on its side.
    """

    shape: str
    head: tuple[str, ...]
    rows: tuple[str, ...]
    width: float
    height: int
    wide: bool = False

    @property
    def long(self) -> bool:
        """Whether it needs more than a page."""
        return self.height > (LONGEST_LANDSCAPE if self.wide else LONGEST)


def text_width(text: str) -> float:
    """Return about how wide a text is at footnote size, in points."""
    return _CHARACTER * sum(map(_weight, text))


def breakable(text: str) -> str:
    """Return a text for LaTeX whose longest words may break over lines."""
    words = (map(latex, _pieces(word)) for word in one_line(text).split(" "))
    return " ".join(map(r"\allowbreak{}".join, words))


def word_width(text: str) -> float:
    """Return about how wide the longest piece of a text is that :func:`breakable` keeps together."""
    return max(text_width(piece) for word in text.split(" ") for piece in _pieces(word))


def _pieces(word: str) -> list[str]:
    pieces, room = [""], _LONGEST_WORD
    for character in word:
        if _weight(character) > room:
            pieces.append("")
            room = _LONGEST_WORD
        pieces[-1] += character
        room -= _weight(character)
    return pieces


@cache
def _weight(character: str) -> int:
    """Return how many characters stand for one: what pdflatex lacks is named by its number."""
    return len("[U+0000]") if "[U+" in latex(character) else 1


def heading(title: str, width: int) -> list[str]:
    """Break a title into lines of at most so many characters, where it has blanks."""
    together = re.sub(" ([←↑→↓])", "\u00a0\\1", title)
    return textwrap.wrap(together, width, break_long_words=False, break_on_hyphens=False) or [""]


def environment(body: Body, caption: str, name: str, notes: Sequence[str]) -> str:
    """Return a complete environment, with the packages that it needs in a comment above."""
    named = rf"\caption{{{breakable(caption)}}}", rf"\label{{tab:{name.replace('_', '-')}}}"
    inside = _long(body, named, notes) if body.long else _short(body, named, notes)
    return "\n".join([*_packages(body), *inside]) + "\n"


def _packages(body: Body) -> list[str]:
    names = ["booktabs", "siunitx"]
    names += ["array"] if "p{" in body.shape else []
    names += ["longtable"] if body.long else []
    names += (["pdflscape"] if body.long else ["rotating"]) if body.wide else []
    lines = [f"% needs \\usepackage{{{','.join(names)}}}"]
    if body.long:
        lines += [
            "% compile until the widths of longtable settle (two or three times)",
            "% in a paper with two columns put \\onecolumn before it",
        ]
    else:
        starred = "sidewaystable*" if body.wide else "table*"
        lines.append(f"% in a paper with two columns use {starred} for all their width")
    return lines


_SETTING = (
    r"\footnotesize",
    rf"\setlength{{\tabcolsep}}{{{SEPARATION:g}pt}}",
    r"\setlength{\belowcaptionskip}{4pt}",
    r"\sisetup{detect-weight=true,mode=text,retain-explicit-plus=true,table-align-text-before=false}",
)


def _short(body: Body, named: tuple[str, str], notes: Sequence[str]) -> list[str]:
    kind = "sidewaystable" if body.wide else "table"
    return [
        rf"\begin{{{kind}}}",
        r"\centering",
        *_SETTING,
        *named,
        rf"\begin{{tabular}}{{{body.shape}}}",
        r"\toprule",
        *body.head,
        r"\midrule",
        *body.rows,
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\footnotesize",
        *map(breakable, notes),
        r"\end{minipage}",
        rf"\end{{{kind}}}",
    ]


def _long(body: Body, named: tuple[str, str], notes: Sequence[str]) -> list[str]:
    around = ([r"\begin{landscape}"], [r"\end{landscape}"]) if body.wide else ([], [])
    return [
        *around[0],
        r"\begingroup",
        *_SETTING,
        rf"\begin{{longtable}}{{{body.shape}}}",
        named[0] + named[1] + r"\\",
        r"\toprule",
        *body.head,
        r"\midrule",
        r"\endfirsthead",
        r"\toprule",
        *body.head,
        r"\midrule",
        r"\endhead",
        r"\bottomrule",
        r"\endfoot",
        *body.rows,
        r"\end{longtable}",
        r"\noindent",
        *map(breakable, notes),
        r"\par\endgroup",
        *around[1],
    ]
