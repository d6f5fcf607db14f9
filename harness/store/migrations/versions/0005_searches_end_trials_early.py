"""The state of a trial that its search has ended: pruned."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OLD = "state IN ('waiting', 'running', 'done', 'diverged', 'failed')"
NEW = "state IN ('waiting', 'running', 'done', 'diverged', 'pruned', 'failed')"


def upgrade() -> None:
    if op.get_context().dialect.name == "sqlite":
        _rebuild()
        return
    op.drop_constraint(op.f("ck_trial_state"), "trial", type_="check")
    op.create_check_constraint(op.f("ck_trial_state"), "trial", sa.text(NEW))


def _rebuild() -> None:
    """Make the table anew with the rows of the old one: SQLite changes no constraint."""
    connection = op.get_bind()
    made = connection.exec_driver_sql("SELECT sql FROM sqlite_master WHERE name = 'trial'").scalar_one()
    if OLD not in made:
        raise RuntimeError("the table 'trial' is not as version 0004 made it")
    renamed = re.sub(r'^CREATE TABLE "?\w+"?', "CREATE TABLE new_trial", made.replace(OLD, NEW))
    connection.exec_driver_sql(renamed)
    connection.exec_driver_sql("INSERT INTO new_trial SELECT * FROM trial ORDER BY id")
    op.drop_table("trial")
    op.rename_table("new_trial", "trial")
    op.create_index(op.f("ix_trial_dataset_id_loss_id"), "trial", ["dataset_id", "loss_id"])
