"""The reference of all losses as one page of Markdown, from the registry and the docstrings."""

from collections.abc import Iterable, Iterator
from typing import get_args

from harness.bench.peers import PEERS
from harness.cli.loss_docs import guide
from harness.cli.loss_docs.docstrings import simple_table
from harness.cli.loss_docs.entries import LossEntry, all_entries, by_family
from harness.cli.loss_docs.parameters import as_yaml
from harness.cli.loss_docs.schedules import all_schedules
from harness.cli.markdown import prose, table
from harness.losses import needs
from harness.losses.search_space import Spaces
from harness.training.protocol import Optimizer

NOTE = "<!-- Written by `lossbench losses --markdown`; edit docstrings or harness/cli/loss_docs/guide.py. -->"


def reference() -> str:
    """Return the page, of nothing but what ships with lossbench: other packages' losses stay out."""
    entries = [entry for entry in all_entries() if entry.ships_with_lossbench]
    losses = [entry for entry in entries if entry.kind != "alias"]
    aliases = [entry for entry in entries if entry.kind == "alias"]
    parts = [
        NOTE,
        guide.INTRODUCTION,
        _needs(),
        guide.STUDY,
        guide.OWN_LOOP,
        guide.NEW_LOSS,
        guide.SPACES,
        _learning_rates(),
        "## All losses",
        guide.GALLERY,
        *_catalogue(losses),
        "## Aliases",
        "A well-known name of a sum; it is replaced by the sum before anything else.",
        _aliases(aliases),
        guide.SCHEDULES,
        _schedules(),
        guide.ELSEWHERE,
        _elsewhere(losses),
        guide.MONAI,
        _peers({entry.name for entry in entries}),
        "## One by one",
        *(section for entry in losses for section in _section(entry)),
    ]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _needs() -> str:
    heading, *rows = simple_table(needs.__doc__ or "")
    return "### Needs\n\n" + table(tuple(heading), (tuple(row) for row in rows))


def _catalogue(losses: list[LossEntry]) -> Iterator[str]:
    heading = ("loss", "what it is", "parameters", "needs", "reference")
    for family, members in by_family(losses):
        yield f"### {family.capitalize()} losses"  # no anchor of a loss
        yield table(heading, (_row(entry) for entry in members))


def _row(entry: LossEntry) -> tuple[str, ...]:
    parameters = ", ".join(f"`{each.name}={each.default_text}`" for each in entry.parameters)
    summary = f"{entry.doc.summary} *Term.*" if entry.partner else entry.doc.summary
    return _link(entry.name), prose(summary), parameters, _names(entry.needs), entry.reference


def _aliases(aliases: list[LossEntry]) -> str:
    heading = ("alias", "sum", "what it is", "needs", "reference")
    rows = (
        (
            f"`{entry.name}`",
            f"`{entry.expression}`",
            prose(" ".join([entry.doc.summary, *entry.doc.paragraphs])),
            _names(entry.needs),
            entry.reference,
        )
        for entry in aliases
    )
    return table(heading, rows)


def _schedules() -> str:
    rows = (
        (
            f"`{each.name}`",
            each.form,
            _names(f"{key}={as_yaml(value)}" for key, value in each.defaults.items()),
            _spaces(each.spaces),
            prose(each.summary),
            each.reference,
        )
        for each in all_schedules()
    )
    return table(("schedule", "form", "parameters", "searched", "what it does", "reference"), rows)


def _spaces(spaces: Spaces) -> str:
    return "; ".join(f"`{name}` {space}" for name, space in spaces.items())


def _learning_rates() -> str:
    """Return the table of what is drawn beside every loss's parameters."""
    kinds = (get_args(kind)[0] for kind in get_args(get_args(Optimizer)[0]))
    rows = ((f"`{get_args(kind.model_fields['name'].annotation)[0]}`", str(kind.lr_space)) for kind in kinds)
    return table(("optimiser", "searched `lr`"), rows)


def _elsewhere(losses: list[LossEntry]) -> str:
    told = [entry for entry in losses if entry.doc.elsewhere]
    return table(("loss", "elsewhere"), ((_link(entry.name), prose(entry.doc.elsewhere)) for entry in told))


def _peers(known: set[str]) -> str:
    rows = (
        (f"`{name}`", f"`{peer.title}`", peer.note or "same values")
        for name, peer in sorted(PEERS.items())
        if name in known
    )
    return table(("ours", "theirs", "difference"), rows)


def _section(entry: LossEntry) -> Iterator[str]:
    yield f"### {entry.name}"
    tag = f"{entry.family.capitalize()} family." + (
        " A term, meant as a part of a sum." if entry.partner else ""
    )
    yield f"{prose(entry.doc.summary)} {tag}"
    if entry.doc.formula:
        yield f"```text\n{entry.doc.formula}\n```"
    yield from map(prose, entry.doc.paragraphs)
    if entry.parameters:
        yield _parameters(entry)
    yield "\n".join(f"* **{title}:** {text}" for title, text in _facts(entry))
    yield f"```yaml\n{entry.example}\n```"


def _parameters(entry: LossEntry) -> str:
    searched = any(each.space is not None for each in entry.parameters)
    rows = (
        (
            f"`{each.name}`",
            each.type,
            f"`{each.default_text}`",
            *([each.space_text] if searched else []),
            prose(each.description),
        )
        for each in entry.parameters
    )
    return table(("parameter", "values", "default", *(["searched"] if searched else []), "meaning"), rows)


def _facts(entry: LossEntry) -> Iterator[tuple[str, str]]:
    yield "Reference", prose(entry.doc.reference or entry.reference)
    yield "Needs", _names(entry.needs) or "nothing but logits and labels"
    if entry.relations:
        yield "Relations", "; ".join(f"`{words}`" for words in entry.relations_in_words)
    if entry.used_in:
        yield "Used in", _names(entry.used_in)
    if entry.doc.elsewhere:
        yield "Elsewhere", prose(entry.doc.elsewhere)


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _link(name: str) -> str:
    return f"[`{name}`](#{name})"
