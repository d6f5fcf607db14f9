"""Which cases may be of one patient, guessed from their names."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_VISIT = (
    "ses|session|visit|timepoint|time|tp|t|scan|day|week|month|year|followup|fu|baseline|bl|frame|phase|"
    "slice|slab|view|run|img|image|frm|z|s|v"
)
_LARGEST = 12  # cases of one patient that two bare numbers may stand for


@dataclass(frozen=True)
class PatientGuess:
    """An expression that merges cases of one patient.

    Attributes:
        expression: For ``files.patient``.
        patients: How many different patients it names.
        reason: What it was guessed from.
    """

    expression: str
    patients: int
    reason: str


def guess_patients(cases: Sequence[str]) -> PatientGuess | None:
    """Return the first expression that fits all names and merges some; None if every case stands alone.

    Args:
        cases: Names of the cases.
    """
    for rule in _RULES:
        if (found := rule(cases)) is None:
            continue
        expression, reason = found
        names = [match[1] for case in cases if (match := re.match(expression, case)) and match[1]]
        if len(names) == len(cases) and 1 < len(set(names)) < len(cases):
            return PatientGuess(expression, len(set(names)), reason)
    return None


def _bids(cases: Sequence[str]) -> tuple[str, str] | None:
    if all(case.startswith("sub-") for case in cases):
        return r"(sub-[^_]+)", "the BIDS subject"
    return None


def _brats(cases: Sequence[str]) -> tuple[str, str] | None:
    if all(re.fullmatch(r"BraTS-\w+-\d+-\d+", case) for case in cases):
        return r"(BraTS-\w+-\d+)-\d+", "BraTS names: patient, then time point"
    return None


def _sides(cases: Sequence[str]) -> tuple[str, str] | None:
    ending = re.compile(r"(.*?)([_ -]?)(L|R|l|r|OD|OS|od|os|left|right|Left|Right|LEFT|RIGHT)")
    matches = [ending.fullmatch(case) for case in cases]
    if not all(matches):
        return None
    endings = sorted({match[3] for match in matches if match})
    separators = {match[2] for match in matches if match}
    if len(endings) < 2 or len(separators) > 1:
        return None
    separator = re.escape(separators.pop())
    side = f"[{''.join(endings)}]" if all(len(each) == 1 for each in endings) else f"(?:{'|'.join(endings)})"
    numbers = all(match[1].isdigit() for match in matches if match)
    head = r"\d+" if numbers else ".+?"
    return f"({head}){separator}{side}$".removesuffix("$" if numbers else ""), "left and right"


def _visits(cases: Sequence[str]) -> tuple[str, str] | None:
    """Names such as ``p12_t1``: a word for visits, frames or slices, and a number at the end."""
    ending = re.compile(rf"(.+?)([_ .-]+)({_VISIT})([_ .-]?)(\d+)", re.IGNORECASE)
    matches = [match for case in cases if (match := ending.fullmatch(case))]
    forms = Counter((match[2], match[3], match[4]) for match in matches)
    if not forms or len(matches) < len(cases) / 2:
        return None
    if len(forms) == 1:
        separator, word, second = next(iter(forms))
        visit = f"{re.escape(separator)}{re.escape(word)}{re.escape(second)}\\d+"
    else:
        visit = f"[_ .-]+(?:{'|'.join(sorted({re.escape(form[1]) for form in forms}))})[_ .-]?\\d+"
    named = "visit, frame or slice number"
    if len(matches) == len(cases):
        return f"(.+?){visit}$", named
    return f"(.+?)(?:{visit})?$", f"{named}, which not all names have"


def _two_numbers(cases: Sequence[str]) -> tuple[str, str] | None:
    """Names such as ``12_3``, whose last number is small and counts inside the first."""
    ending = re.compile(r"(.*\d)([_ .-])\d+")
    matches = [ending.fullmatch(case) for case in cases]
    if not all(matches):
        return None
    separators = {match[2] for match in matches if match}
    sizes = Counter(match[1] for match in matches if match)
    if len(separators) > 1 or len(sizes) < 3 or max(sizes.values()) > _LARGEST:
        return None
    return f"(.*\\d){re.escape(separators.pop())}\\d+$", "the number before the last"


_Rule = Callable[[Sequence[str]], tuple[str, str] | None]
_RULES: tuple[_Rule, ...] = (_bids, _brats, _sides, _visits, _two_numbers)
