"""A PostgreSQL of a test's own that goes away and comes back."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from harness.bench.private_postgres import PrivatePostgres
from harness.store.ownership import process_is_gone

SECONDS_TO_START = 60.0


@dataclass
class Server:
    """A PostgreSQL that can be stopped, and started again on the same data."""

    private: PrivatePostgres

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.private.folder / "data"

    def stop(self, how: signal.Signals) -> None:
        """Stop it: SIGINT ends all sessions in order, SIGQUIT is a crash."""
        process = int((self.data / "postmaster.pid").read_text().split()[0])
        os.kill(process, how)
        deadline = time.monotonic() + SECONDS_TO_START
        while not process_is_gone(process):
            assert time.monotonic() < deadline
            time.sleep(0.05)

    @contextmanager
    def started_again(self) -> Iterator[None]:
        """Run it again as it was, until the block ends."""
        command = shlex.split((self.data / "postmaster.opts").read_text())
        owner = self.data.stat()
        account = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
        with (self.private.folder / "again.log").open("w") as log:
            again = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **account if os.geteuid() == 0 else {},
            )
        try:
            yield
        finally:
            again.send_signal(signal.SIGINT)
            again.wait(SECONDS_TO_START)
