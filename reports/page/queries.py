"""The SQL behind the numbers: from the views that every results database has."""

from collections.abc import Sequence
from dataclasses import dataclass
from shlex import quote

from reports.results import StudyResults

_SPECIAL = frozenset('"$`\\!')
"""What a shell does not leave alone between double quotes."""


@dataclass(frozen=True)
class Query:
    """A question to the database.

    Attributes:
        title: What it answers.
        sql: One ``select``, on SQLite and PostgreSQL alike.
    """

    title: str
    sql: str

    @property
    def command(self) -> str:
        """What one types to ask it."""
        plain = not set(self.sql) & _SPECIAL
        return f'lossbench db query "{self.sql}"' if plain else f"lossbench db query {quote(self.sql)}"


def queries(results: StudyResults) -> list[Query]:
    """Return the queries that give the numbers of the page."""
    study = f"study = {_text(results.document.name)}"
    shown = f"{study} and part = {_text(results.part)}"
    metrics = f"metric in ({', '.join(map(_text, results.main_metrics()))})"
    chosen = f"checkpoint = {_text(results.checkpoint)}"
    return [
        Query(
            "Table T1: mean and standard deviation over seeds",
            _select(
                "dataset, metric, rank, loss, family, mean, sd, seeds, patients, collapsed, diverged",
                "v_leaderboard",
                f"{shown} and {metrics}",
                "dataset, metric, rank, loss",
            ),
        ),
        Query(
            "The scores that every comparison starts from",
            _select(
                "dataset, loss, seed, fold, patient, case_name, class_name, metric, value, imputed, reason",
                "v_case_score",
                f"{shown} and {chosen} and {metrics}",
                "dataset, loss, seed, fold, case_name, class_name, metric",
            ),
        ),
        Query(
            "Learning curves",
            _select(
                "dataset, loss, seed, fold, epoch, train_loss, val_dsc",
                "v_curve",
                study,
                "dataset, loss, seed, fold, epoch",
            ),
        ),
        Query(
            "How every trial ended, and what made it",
            _select(
                "dataset, loss, seed, fold, state, collapsed, reason, git_commit, torch, device, seconds",
                "v_trial",
                f"{study} and current and purpose = 'study'",
                "dataset, loss, seed, fold",
            ),
        ),
    ]


def _select(columns: str, view: str, condition: str, order: str) -> str:
    return "\n".join(_lines(("select", columns), ("from", view), ("where", condition), ("order by", order)))


def _lines(*clauses: tuple[str, str]) -> Sequence[str]:
    return [f"{keyword} {text}" for keyword, text in clauses]


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
