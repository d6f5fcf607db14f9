"""Tell a database that does not answer for a while from a mistake in a statement."""

import sqlite3

from sqlalchemy.exc import DBAPIError

_FULL = ("SQLITE_FULL", "53100")
_BUSY = ("SQLITE_BUSY", "SQLITE_LOCKED")
_INPUT_OUTPUT = ("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY")
# https://www.postgresql.org/docs/current/errcodes-appendix.html: connection exceptions, too many
# connections, the server shuts down or starts, deadlock or serialisation lost.
_AWAY = ("08", "53", "57P", "40001", "40P01", "25006")


def outage(error: BaseException) -> str | None:
    """Return why the database cannot be used just now, in a few words, or None if waiting is of no use.

    Args:
        error: What a question or a write raised.
    """
    if not isinstance(error, DBAPIError):
        return None
    code = _code(error.orig)
    if code.startswith(_FULL):
        return "the disk of the database is full"
    if code.startswith(_BUSY):
        return "another program holds the database locked"
    if code.startswith(_INPUT_OUTPUT):
        return "the file of the database cannot be written"
    if error.connection_invalidated or code.startswith(_AWAY) or _is_disconnected(error.orig):
        return "the database does not answer"
    return None


def _code(original: BaseException | None) -> str:
    """Return SQLite's name of an error, or the SQLSTATE."""
    if isinstance(original, sqlite3.Error):
        return str(getattr(original, "sqlite_errorname", ""))
    return str(getattr(original, "sqlstate", None) or "")


def _is_disconnected(original: BaseException | None) -> bool:
    """Whether a driver without a code says that there is no connection: psycopg when nobody listens."""
    return type(original).__name__ == "OperationalError" and not isinstance(original, sqlite3.Error)
