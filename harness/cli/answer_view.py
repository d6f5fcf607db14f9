"""The answer of a study in a screenful."""

from collections.abc import Iterator, Sequence
from textwrap import fill
from typing import Any

import numpy as np

from harness.cli.output import print_table, print_warning, stdout
from harness.statistics.cell import CellAnswer, LossRow, Networks
from harness.statistics.error_rates import Rate
from harness.statistics.scale import Scale
from harness.statistics.study_answer import StudyAnswer
from harness.statistics.wording import margin_words, settling, title_of, verdict, warnings

_WIDTH = 100

NETWORKS_TITLE = "these trained networks, not these losses"


def print_answer(answer: StudyAnswer) -> None:
    """Print verdict, one table per dataset, what would settle open pairs, and warnings."""
    for sentence in verdict(answer):
        _say(sentence)
    for each in answer.datasets:
        print_table([_row(each.primary, row) for row in _ordered(each.primary)], title=_title(each.primary))
        if each.primary.networks is not None:
            print_table(list(_of_networks(each.primary.networks)), title=NETWORKS_TITLE)
        for sentence in settling(each.primary):
            _say(sentence, indent="  ")
    for text in warnings(answer):
        print_warning(text)


def _of_networks(networks: Networks) -> Iterator[dict[str, Any]]:
    for loss, found in networks.behind.items():
        yield {
            "network": networks.leader,
            "minus": loss,
            "difference": f"{found.difference:+.3f}",
            "95 %, over patients only": f"{found.low:+.3f} to {found.high:+.3f}",
            "p": f"{found.p:.2g}",
        }


def print_rates(rates: Sequence[Rate]) -> None:
    """Print error rates with what is promised of them."""
    rows = [
        {
            "counted": rate.check,
            "in": rate.setting,
            "found": f"{rate.found:.3f}",
            "promised": rate.limit,
            "kept": "" if rate.kept is None else "yes" if rate.kept else "NO",
        }
        for rate in rates
    ]
    studies = rates[0].studies if rates else 0
    print_table(rows, title=f"{studies} simulated studies of each kind")


def _say(sentence: str, indent: str = "") -> None:
    text = fill(sentence, _WIDTH, initial_indent=indent, subsequent_indent=indent + "  ")
    stdout.print(text, highlight=False, markup=False, soft_wrap=True)


def _title(cell: CellAnswer) -> str:
    block = cell.block
    margin = margin_words(block.scale, cell.asked.margin)
    return f"{block.dataset}: {title_of(block.metric)}, {len(block.patients)} patients, margin {margin}"


def _ordered(cell: CellAnswer) -> list[LossRow]:
    return sorted(cell.rows, key=lambda row: (not np.isfinite(row.regret), row.regret, -_known(row.itt)))


def _row(cell: CellAnswer, row: LossRow) -> dict[str, Any]:
    digits = 2 if cell.block.scale.log else 3
    return {
        "loss": row.loss,
        "class": row.standing,
        "mean": _number(row.mean, digits),
        "95 %": _interval(row, digits, cell.block.scale) if np.isfinite(row.interval[0]) else "",
        "SD seeds": _number(row.sd_seeds, digits + 1),
        "against the best other": f"{row.lower:+.3f} to {row.upper:+.3f}" if np.isfinite(row.lower) else "",
        "ranks": f"{row.ranks[0]} to {row.ranks[1]}" if row.ranks else "",
        "regret": _number(row.regret, 4),
        "seeds": row.seeds,
        "collapsed": f"{row.collapse.useless}/{row.collapse.runs} (<{100 * row.collapse.bound:.0f} %)",
    }


def _interval(row: LossRow, digits: int, scale: Scale) -> str:
    """Return an interval; distances are shown from 0, shares between 0 and 1."""
    low, high = row.interval
    share = scale.direction == "higher" and 0 <= row.mean <= 1
    if scale.log or share:
        low, high = max(low, 0.0), min(high, 1.0) if share else high
    return f"{low:.{digits}f} to {high:.{digits}f}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else ""


def _known(value: float) -> float:
    return value if np.isfinite(value) else -np.inf
