"""BibTeX of what a study really used, for the paper that tells about it.

The works are in ``bibliography.bib``. A loss, an alpha schedule or a dataset says in words what to cite;
where surname and year of that are a key of the file, its entry is taken, else the words themselves become
one.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

from harness.answering.answer import parts_of_expression
from harness.data.description import catalogue
from harness.losses import ALIASES, ALPHA_SCHEDULES, LOSSES, parse_loss
from reports.escape import latex
from reports.methods_statistics import statistical_works
from reports.results import StudyResults

SOFTWARE = "lossbench"
_OPTUNA = "akiba2019optuna"
_NETWORKS = {"unet2d": "ronneberger2015", "kervadec": "kervadec2019"}
_TUNING = {
    "random": "bergstra2012random",
    "tpe": "bergstra2011tpe",
    "cmaes": "hansen2001cmaes",
    "median": "golovin2017vizier",
    "successive_halving": "li2020asha",
    "hyperband": "li2018hyperband",
}
_OURS = "harness."

_ENTRY = re.compile(r"^@\w+\{(?P<key>[^,\s]+),\n.*?^\}$", re.MULTILINE | re.DOTALL)
_SURNAME = re.compile(r"(?P<name>[^\W\d_][\w'-]*)(?: et al\.| and [A-Z]|, )")
_ARXIV = re.compile(r"arXiv[: ](\d\d)\d\d\.\d+")
_DOI = re.compile(r"\bdoi\s+\S+")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")


def bibtex(results: StudyResults) -> str:
    """Return the entries, sorted by key: software, datasets, losses, network, tuning and statistics."""
    entries = known_entries()
    found = {key: entries[key] for key in (SOFTWARE, *_networks(results), *_tuning(results))}
    found |= {key: entries[key] for key in statistical_works(results)}
    for key, entry in (*_datasets(results), *_losses(results), *_schedules(results)):
        found.setdefault(key, entry)
    return "\n\n".join(found[key] for key in sorted(found)) + "\n"


@functools.cache
def known_entries() -> Mapping[str, str]:
    """Return the entries of ``bibliography.bib`` by key."""
    text = files("reports").joinpath("bibliography.bib").read_text(encoding="utf-8")
    return {match["key"]: match[0] for match in _ENTRY.finditer(text)}


def cited_keys(text: str) -> list[str]:
    """Return surname and year of each work in a short reference; parts are separated by semicolons.

    >>> cited_keys("Kervadec et al., MIDL 2019; Medical Image Analysis 2021")
    ['kervadec2019', 'kervadec2021']
    >>> cited_keys("Wu et al., arXiv 1605.06885 (bootstrapped cross entropy)")
    ['wu2016']
    """
    keys, surname = [], ""
    for part in text.split(";"):
        author, year = _SURNAME.search(part), _year(part)
        surname = author["name"] if author else surname
        if surname and year:
            keys.append(_ascii(surname).lower() + year)
    return keys


def _year(text: str) -> str:
    arxiv = _ARXIV.search(text)
    years = _YEAR.findall(_ARXIV.sub("", _DOI.sub("", text)))
    if years:
        return str(years[-1])
    return f"20{arxiv[1]}" if arxiv else ""


def _works(text: str, name: str, title: str) -> Iterator[tuple[str, str]]:
    """Yield key and entry of the works in a reference; the words themselves where none of them is known."""
    keys = cited_keys(text)
    known = [key for key in keys if key in known_entries()]
    for key in known:
        yield key, known_entries()[key]
    if text.strip() and not known:
        key = keys[0] if keys else _key_of(name)
        yield key, _in_words(key, title, text)


def _in_words(key: str, title: str, text: str) -> str:
    fields = {"key": key, "title": f"{{{latex(title)}}}", "note": latex(text)}
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@misc{{{key},\n{lines}\n}}"


def _networks(results: StudyResults) -> Iterator[str]:
    model = results.document.resolved.get("model", {})
    if results.trained and model.get("name") in _NETWORKS:
        yield _NETWORKS[model["name"]]


def _tuning(results: StudyResults) -> Iterator[str]:
    if results.searches:
        yield _OPTUNA
    for history in results.searches:
        for name in (history.sampler, history.pruner):
            if name in _TUNING:
                yield _TUNING[name]


def _datasets(results: StudyResults) -> Iterator[tuple[str, str]]:
    """Yield the works of the catalogue's datasets; of simulated ones no image was used."""
    known = catalogue()
    for name in results.datasets:
        if name in known:
            yield from _works(known[name].citation, name, known[name].title)


def _losses(results: StudyResults) -> Iterator[tuple[str, str]]:
    sums = {parse_loss(alias.expression).expression: alias.reference for alias in ALIASES.values()}
    for loss in results.losses:
        if loss.expression in sums:
            yield from _works(sums[loss.expression], loss.expression, loss.expression)
        for part in parts_of_expression(loss.expression):
            name = part.partition("(")[0]
            if name in LOSSES:
                yield from _of_class(name)


def _of_class(name: str) -> Iterator[tuple[str, str]]:
    """Yield what a loss cites; what somebody else's class cites is not looked up among our works."""
    loss = LOSSES[name]
    title = f"The loss {name}"
    reference = str(getattr(loss, "reference", ""))
    if loss.__module__.startswith(_OURS):
        yield from _works(reference, name, title)
    elif reference:
        yield _key_of(name), _in_words(_key_of(name), title, reference)


def _schedules(results: StudyResults) -> Iterator[tuple[str, str]]:
    entries: list[Mapping[str, Any]] = results.document.resolved.get("losses", [])
    for entry in entries:
        alpha = entry.get("alpha")
        name = str(alpha.get("schedule")) if isinstance(alpha, Mapping) else ""
        if name in ALPHA_SCHEDULES:
            reference = ALPHA_SCHEDULES[name].reference
            if cited_keys(reference):  # one schedule is our own
                yield from _works(reference, name, f"The alpha schedule {name}")


def _ascii(text: str) -> str:
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")


def _key_of(name: str) -> str:
    """Return a key that BibTeX takes.

    >>> _key_of("my_package.module:MyLoss")
    'my_package.module-MyLoss'
    """
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", _ascii(name)).strip("-") or "unnamed"
