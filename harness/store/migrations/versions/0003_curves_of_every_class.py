"""Curves of every class, memory, and the numerics class of a trial."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("trial", sa.Column("numerics", sa.String(), nullable=True))
    op.add_column("trial", sa.Column("reason_epoch", sa.Integer(), nullable=True))
    op.add_column("epoch", sa.Column("validation_seconds", sa.Double(), nullable=True))
    op.add_column("epoch", sa.Column("peak_bytes", sa.BigInteger(), nullable=True))
    op.add_column("metric", sa.Column("description", sa.String(), nullable=True))
    op.create_table(
        "epoch_score",
        sa.Column("trial_id", sa.Integer(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("class_index", sa.Integer(), nullable=False),
        sa.Column("metric_id", sa.Integer(), nullable=False),
        sa.Column("mean", sa.Double(), nullable=False),
        sa.Column("undefined", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["trial_id", "epoch"],
            ["epoch.trial_id", "epoch.epoch"],
            name=op.f("fk_epoch_score_trial_id"),
        ),
        sa.ForeignKeyConstraint(["metric_id"], ["metric.id"], name=op.f("fk_epoch_score_metric_id")),
        sa.PrimaryKeyConstraint("trial_id", "epoch", "class_index", "metric_id", name=op.f("pk_epoch_score")),
    )
