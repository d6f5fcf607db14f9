"""Who holds a lease, without storing a host name.

A driver's name holds a hash of its machine's boot and process namespace. A driver on the same
machine can so tell at once that the owner was killed; elsewhere the lease has to expire.
"""

import hashlib
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path


def new_owner() -> str:
    """Return a name for this process as a lease owner."""
    return f"{secrets.token_hex(6)}:{machine()}:{os.getpid()}"


def lease_is_over(owner: str | None, expires: datetime | str | None, now: datetime) -> bool:
    """Whether a lease binds nobody: none is there, its time is up, or its owner has died.

    Args:
        owner: Who holds it.
        expires: Until when, in UTC; SQLite gives a text to those who ask it directly.
        now: The present moment.
    """
    if owner is None or expires is None:
        return True
    until = datetime.fromisoformat(expires) if isinstance(expires, str) else expires
    return until.replace(tzinfo=until.tzinfo or UTC) < now or owner_is_gone(owner)


def owner_is_gone(owner: str) -> bool:
    """Whether the owner ran on this machine and its process has ended."""
    _, where, process = owner.split(":")
    return bool(where) and where == machine() and process_is_gone(int(process))


def process_is_gone(process: int) -> bool:
    """Whether a process of this machine has ended; one that nobody has waited for yet has, too."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    try:
        status = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] == "Z"


def machine() -> str:
    """Return a hash of boot and process namespace; empty where the system does not tell them."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""
    return hashlib.sha256(f"{boot} {namespace}".encode()).hexdigest()[:8]
