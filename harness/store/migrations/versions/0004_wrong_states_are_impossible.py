"""Runs, constraints that refuse wrong states, and tables that are their primary key on SQLite."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_LARGEST = "1.7976931348623157e+308"

CHECKS: Mapping[str, Mapping[str, str]] = {
    "trial": {
        "state": "state IN ('waiting', 'running', 'done', 'diverged', 'failed')",
        "purpose": "purpose IN ('study', 'search')",
        "lease": "(state = 'running') = (lease_owner IS NOT NULL)",
        "lease_expires": "(lease_owner IS NULL) = (lease_expires IS NULL)",
        "finished": "(state IN ('waiting', 'running')) = (finished IS NULL)",
        "collapsed": "(state IN ('done', 'diverged')) = (collapsed IS NOT NULL)",
        "failed_has_reason": "state <> 'failed' OR reason IS NOT NULL",
        "traceback": "state = 'failed' OR traceback IS NULL",
        "reason_epoch": "reason IS NOT NULL OR reason_epoch IS NULL",
        "counts": "seed >= 0 AND fold >= 0 AND attempts >= 0",
        "best_val_dsc": "best_val_dsc BETWEEN 0 AND 1",
    },
    "metric": {"direction": "direction IN ('higher', 'lower')", "version": "version >= 1"},
    "artifact": {"path": "substr(path, 1, 1) <> '/'", "bytes": "bytes >= 0"},
    "split_case": {"part": "part IN ('train', 'validation', 'test')"},
    "study_trial": {},
    "epoch": {
        "epoch": "epoch >= 0",
        "val_dsc": "val_dsc BETWEEN 0 AND 1",
        "seconds": "seconds >= 0",
    },
    "epoch_score": {
        "class_index": "class_index >= 0",
        "mean": f"abs(mean) <= {_LARGEST}",
        "undefined": "undefined >= 0",
    },
    "score": {
        "part": "part IN ('validation', 'test')",
        "checkpoint": "checkpoint IN ('best', 'last')",
        "undefined_has_reason": "value IS NOT NULL OR reason IS NOT NULL",
        "class_index": "class_index >= 0",
        "value": f"abs(value) <= {_LARGEST}",
        "imputed": f"abs(imputed) <= {_LARGEST}",
    },
}
ALREADY_THERE = {
    "trial": {"state", "lease"},
    "metric": {"direction"},
    "split_case": {"part"},
    "score": {"part", "checkpoint", "undefined_has_reason"},
}
CLUSTERED = {"split_case", "study_trial", "epoch", "epoch_score", "score"}


def upgrade() -> None:
    op.create_table(
        "run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(), nullable=False),
        sa.Column("study", sa.String(), nullable=False),
        sa.Column("command", sa.String(), nullable=False),
        sa.Column("started", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_run")),
        sa.UniqueConstraint("uid", name=op.f("uq_run_uid")),
    )
    _mend_states()
    if op.get_context().dialect.name == "sqlite":
        for table, columns in _columns().items():
            _rebuild(table, columns)
    else:
        _alter()
    op.create_index(
        op.f("ix_trial_dataset_id_loss_id"), "trial", ["dataset_id", "loss_id"], if_not_exists=True
    )
    op.create_index(op.f("ix_study_trial_trial_id"), "study_trial", ["trial_id"])


def _mend_states() -> None:
    """Complete what earlier versions left: a trial tried again kept the time of its failure."""
    op.execute("UPDATE trial SET finished = NULL WHERE state IN ('waiting', 'running')")
    op.execute("UPDATE trial SET lease_expires = NULL WHERE state <> 'running'")
    op.execute(
        "UPDATE trial SET lease_expires = CURRENT_TIMESTAMP WHERE state = 'running' AND lease_expires IS NULL"
    )
    op.execute(
        "UPDATE trial SET finished = CURRENT_TIMESTAMP "
        "WHERE state NOT IN ('waiting', 'running') AND finished IS NULL"
    )
    op.execute("UPDATE trial SET collapsed = NULL WHERE state NOT IN ('done', 'diverged')")
    no = "0" if op.get_context().dialect.name == "sqlite" else "FALSE"
    op.execute(f"UPDATE trial SET collapsed = {no} WHERE state IN ('done', 'diverged') AND collapsed IS NULL")
    op.execute("UPDATE trial SET reason = 'not told' WHERE state = 'failed' AND reason IS NULL")
    op.execute("UPDATE trial SET traceback = NULL WHERE state <> 'failed'")


def _alter() -> None:
    op.add_column("trial", sa.Column("run_id", sa.Integer(), nullable=True))
    op.create_foreign_key(op.f("fk_trial_run_id"), "trial", "run", ["run_id"], ["id"])
    op.alter_column("artifact", "bytes", type_=sa.BigInteger())
    op.execute(
        "ALTER TABLE epoch_score RENAME CONSTRAINT fk_epoch_score_trial_id TO fk_epoch_score_trial_id_epoch"
    )
    for table, checks in CHECKS.items():
        for name in checks.keys() - ALREADY_THERE.get(table, set()):
            op.create_check_constraint(op.f(f"ck_{table}_{name}"), table, sa.text(checks[name]))


def _rebuild(table: str, columns: Sequence[sa.schema.SchemaItem]) -> None:
    """Make a table anew with the rows of the old one, in the order of the key."""
    new = f"new_{table}"
    named = [column for column in columns if isinstance(column, sa.Column)]
    kept = ", ".join(column.name for column in named if column.name != "run_id")
    order = ", ".join(column.name for column in named if column.primary_key)
    checks = [sa.CheckConstraint(sql, name=op.f(f"ck_{table}_{name}")) for name, sql in CHECKS[table].items()]
    primary = sa.PrimaryKeyConstraint(
        *(column.name for column in named if column.primary_key), name=op.f(f"pk_{table}")
    )
    op.create_table(new, *columns, *checks, primary, sqlite_with_rowid=table not in CLUSTERED)
    op.execute(f"INSERT INTO {new} ({kept}) SELECT {kept} FROM {table} ORDER BY {order}")
    op.drop_table(table)
    op.rename_table(new, table)


def _columns() -> dict[str, list[sa.schema.SchemaItem]]:
    """Return columns, references and unique keys of the tables that SQLite has to rebuild."""
    return {
        "trial": [
            _key("id"),
            sa.Column("key", sa.String(), nullable=False),
            _number("dataset_id"),
            _number("split_id", nullable=True),
            _number("loss_id"),
            _number("environment_id", nullable=True),
            _number("run_id", nullable=True),
            _number("seed"),
            _number("fold"),
            sa.Column("purpose", sa.String(), nullable=False),
            sa.Column("canonical", sa.JSON(), nullable=False),
            sa.Column("state", sa.String(), nullable=False),
            _number("attempts"),
            sa.Column("lease_owner", sa.String(), nullable=True),
            sa.Column("lease_expires", sa.DateTime(timezone=True), nullable=True),
            _number("epoch_now", nullable=True),
            sa.Column("collapsed", sa.Boolean(), nullable=True),
            sa.Column("reason", sa.String(), nullable=True),
            _number("reason_epoch", nullable=True),
            sa.Column("traceback", sa.String(), nullable=True),
            sa.Column("numerics", sa.String(), nullable=True),
            _number("best_epoch", nullable=True),
            sa.Column("best_val_dsc", sa.Double(), nullable=True),
            sa.Column("seconds", sa.Double(), nullable=True),
            sa.Column("finished", sa.DateTime(timezone=True), nullable=True),
            sa.UniqueConstraint("key", name=op.f("uq_trial_key")),
            *(_reference("trial", name) for name in ("dataset", "split", "loss", "environment", "run")),
        ],
        "metric": [
            _key("id"),
            sa.Column("name", sa.String(), nullable=False),
            _number("version"),
            *(sa.Column(name, sa.String(), nullable=False) for name in ("title", "unit", "direction")),
            sa.Column("description", sa.String(), nullable=True),
            sa.UniqueConstraint("name", "version", name=op.f("uq_metric_name_version")),
        ],
        "artifact": [
            _key("id"),
            _number("trial_id"),
            *(sa.Column(name, sa.String(), nullable=False) for name in ("kind", "path", "sha256")),
            sa.Column("bytes", sa.BigInteger(), nullable=False),
            sa.UniqueConstraint("trial_id", "kind", name=op.f("uq_artifact_trial_id_kind")),
            _reference("artifact", "trial"),
        ],
        "split_case": [
            _key("split_id"),
            _key("case_id"),
            sa.Column("part", sa.String(), nullable=False),
            _reference("split_case", "split"),
            _reference("split_case", "case"),
        ],
        "study_trial": [
            _key("study_id"),
            _key("trial_id"),
            sa.Column("label", sa.String(), primary_key=True, nullable=False),
            sa.Column("dataset", sa.String(), nullable=False),
            sa.Column("current", sa.Boolean(), nullable=False),
            _reference("study_trial", "study"),
            _reference("study_trial", "trial"),
        ],
        "epoch": [
            _key("trial_id"),
            _key("epoch"),
            *(sa.Column(name, sa.Double(), nullable=False) for name in ("train_loss", "val_dsc")),
            sa.Column("learning_rate", sa.Double(), nullable=False),
            *(sa.Column(name, sa.Double(), nullable=True) for name in ("region_weight", "boundary_weight")),
            sa.Column("seconds", sa.Double(), nullable=False),
            sa.Column("validation_seconds", sa.Double(), nullable=True),
            sa.Column("peak_bytes", sa.BigInteger(), nullable=True),
            _reference("epoch", "trial"),
        ],
        "epoch_score": [
            *map(_key, ("trial_id", "epoch", "class_index", "metric_id")),
            sa.Column("mean", sa.Double(), nullable=False),
            _number("undefined"),
            sa.ForeignKeyConstraint(
                ["trial_id", "epoch"],
                ["epoch.trial_id", "epoch.epoch"],
                name=op.f("fk_epoch_score_trial_id_epoch"),
            ),
            _reference("epoch_score", "metric"),
        ],
        "score": [
            *map(_key, ("trial_id", "case_id", "class_index", "metric_id")),
            sa.Column("checkpoint", sa.String(), primary_key=True, nullable=False),
            sa.Column("part", sa.String(), nullable=False),
            sa.Column("value", sa.Double(), nullable=True),
            sa.Column("imputed", sa.Double(), nullable=False),
            sa.Column("reason", sa.String(), nullable=True),
            *(_reference("score", name) for name in ("trial", "case", "metric")),
        ],
    }


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), primary_key=True, nullable=False)


def _number(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _reference(table: str, other: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([f"{other}_id"], [f"{other}.id"], name=op.f(f"fk_{table}_{other}_id"))
