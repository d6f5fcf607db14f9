"""Who is on which side of a split."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "split",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("dataset_id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("fold", sa.Integer(), nullable=False),
        sa.Column("canonical", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["dataset.id"], name=op.f("fk_split_dataset_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_split")),
        sa.UniqueConstraint(
            "dataset_id", "digest", "seed", "fold", name=op.f("uq_split_dataset_id_digest_seed_fold")
        ),
    )
    op.create_table(
        "split_case",
        sa.Column("split_id", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.Integer(), nullable=False),
        sa.Column("part", sa.String(), nullable=False),
        sa.CheckConstraint("part IN ('train', 'validation', 'test')", name=op.f("ck_split_case_part")),
        sa.ForeignKeyConstraint(["case_id"], ["case.id"], name=op.f("fk_split_case_case_id")),
        sa.ForeignKeyConstraint(["split_id"], ["split.id"], name=op.f("fk_split_case_split_id")),
        sa.PrimaryKeyConstraint("split_id", "case_id", name=op.f("pk_split_case")),
    )
    # In place: SQLite would copy the table and, dropping the old one, lose the rows that point to it.
    op.execute(
        "ALTER TABLE trial ADD COLUMN split_id INTEGER CONSTRAINT fk_trial_split_id REFERENCES split (id)"
    )
