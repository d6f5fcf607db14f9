"""Alembic's entry point: our version table, on the connection that the caller opened."""

from alembic import context

from harness.store.schema import Base
from harness.store.versions import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
