"""The chain behind a trial on a terminal, from the number down to the files."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from harness.cli.output import visible
from harness.store.keys import SHOWN
from harness.store.lineage import Lineage, Number, TracedArtifact
from harness.store.provenance import packages_in

_METRICS = ("dsc", "hd95")
_HARDWARE = ("system", "processor", "cores", "memory", "gpus", "driver")
_UNITS = {"cores": "{} cores", "memory": "{} memory", "driver": "driver {}"}
_MINUTE = "%Y-%m-%d %H:%M UTC"


def lineage_view(found: Lineage) -> RenderableType:
    """Return a screenful: one row for every link of the chain."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for link, text in _rows(found):
        table.add_row(Text(link), Text(visible(text)))
    return table


def _rows(found: Lineage) -> Iterator[tuple[str, str]]:
    verified = "key verified" if found.key_verified else "KEY NOT VERIFIED: no sha256 of what follows"
    yield "trial", f"{found.key}  {verified}"
    yield "result", "; ".join(_result(found))
    yield from _listed("in study", (_place(place) for place in found.places))
    yield from _listed("  key of", _key_parts(found))
    yield "dataset", _dataset(found)
    yield from _listed("run", _run(found))
    yield "code", found.code or "not recorded"
    packages = packages_in(found.environment)
    yield "packages", _words(packages) or "not recorded"
    yield "hardware", ", ".join(_hardware(found.environment)) or "not recorded"
    yield "numerics", found.numerics or "not recorded"
    yield from _listed("files", map(_artifact, found.artifacts))


def _listed(link: str, texts: Iterator[str]) -> Iterator[tuple[str, str]]:
    """Yield the first text beside the link's name, the others below it; ``none`` if there is no text."""
    first = next(texts, "none")
    yield link, first
    yield from (("", text) for text in texts)


def _result(found: Lineage) -> Iterator[str]:
    outcome = found.outcome
    attempts = f" after {outcome.attempts} attempts" if outcome.attempts > 1 else ""
    ended = f", {outcome.finished:{_MINUTE}}" if outcome.finished else ""
    yield outcome.state + (" and collapsed" if outcome.collapsed else "") + attempts + ended
    if outcome.reason:
        epoch = "" if outcome.reason_epoch is None else f" (epoch {outcome.reason_epoch})"
        yield outcome.reason + epoch
    if outcome.best_epoch is not None and outcome.best_val_dsc is not None:
        yield f"best epoch {outcome.best_epoch}, validation DSC {outcome.best_val_dsc:.4f}"
    last = found.canonical.get("protocol", {}).get("checkpoint") == "last"
    parts = {number.part for number in found.numbers}
    reported = ("test" if "test" in parts else "validation", "last" if last else "best")
    for number in found.numbers:
        if (number.part, number.checkpoint) == reported and number.metric in _METRICS:
            yield _number(number)


def _number(number: Number) -> str:
    undefined = f", {number.undefined} undefined" if number.undefined else ""
    unit = f" {number.unit}" if number.unit else ""
    where = f"{number.patients} patients{undefined}"
    return f"{number.part} {number.metric.upper()} {number.mean:.4f}{unit} ({where})"


def _place(place: Any) -> str:
    stale = "" if place.current else " (of an earlier plan)"
    return f"{place.study}: {place.label} on {place.dataset}{stale}"


def _key_parts(found: Lineage) -> Iterator[str]:
    fields = found.canonical
    if found.external:
        predictions = str(fields.get("predictions"))[:SHOWN]
        yield f"predictions {predictions} of {found.loss.expression}, seed {found.seed}"
        return
    alpha = found.loss.canonical.get("alpha")
    terms = found.loss.canonical.get("terms", ())
    written = " + ".join(_term(term) for term in terms) or _shown(found.loss.canonical)
    yield f"loss {found.loss.expression} = {written}" + (f", alpha {_shown(alpha)}" if alpha else "")
    for name in ("model", "protocol", "split"):
        yield f"{name} {_words(fields.get(name, {}))}"
    sides = ", ".join(f"{number} {side}" for side, number in found.sides.items())
    purpose = "" if found.purpose == "study" else f", purpose {found.purpose}"
    yield f"seed {found.seed}, fold {found.fold}{purpose}" + (f": cases {sides}" if sides else "")


def _term(term: Mapping[str, Any]) -> str:
    parameters = ", ".join(f"{name}={_shown(value)}" for name, value in term.get("parameters", {}).items())
    return f"{term.get('weight', 1):g}*{term.get('name')}({parameters})"


def _words(fields: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {_shown(value)}" for name, value in fields.items() if value is not None)


def _shown(value: Any) -> str:
    """Return a value on one line as a study file would have it; nothing is rounded."""
    if isinstance(value, Mapping):
        known = {name: inner for name, inner in value.items() if inner is not None}
        return "{" + ", ".join(f"{name}: {_shown(inner)}" for name, inner in known.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_shown, value)) + "]"
    return str(value).lower() if isinstance(value, bool) or value is None else str(value)


def _dataset(found: Lineage) -> str:
    dataset = found.dataset
    title = f" ({dataset.title})" if dataset.title != dataset.name else ""
    return (
        f"{dataset.name}{title}, {dataset.cases} cases of {dataset.patients} patients; "
        f"{', '.join(dataset.classes)}; fingerprint {dataset.fingerprint}"
    )


def _run(found: Lineage) -> Iterator[str]:
    if found.run is None:
        if found.environment.get("command"):  # databases from before runs were kept
            yield found.environment["command"]
        return
    yield found.run.command
    yield f"{found.run.started:{_MINUTE}}, study {found.run.study}, its text {found.run.digest[:SHOWN]}"


def _hardware(facts: Mapping[str, str]) -> Iterator[str]:
    for name in _HARDWARE:
        if name in facts:
            yield _UNITS.get(name, "{}").format(facts[name])


def _artifact(artifact: TracedArtifact) -> str:
    return (
        f"{artifact.kind} {artifact.path}, {artifact.bytes} bytes, sha256 {artifact.sha256[:SHOWN]}, "
        f"{artifact.condition or 'not looked for'}"
    )
