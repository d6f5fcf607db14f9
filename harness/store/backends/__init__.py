"""What differs between the engines that can hold the results: one class each, found by its name.

Everything else in the store is the same SQL on all of them.
"""

from harness.store.backends.base import Backend
from harness.store.backends.postgresql import PostgreSQL
from harness.store.backends.sqlite import SQLite

BACKENDS: dict[str, Backend] = {backend.name: backend for backend in (SQLite(), PostgreSQL())}
"""By the dialect's name in SQLAlchemy."""

__all__ = ["BACKENDS", "Backend"]
