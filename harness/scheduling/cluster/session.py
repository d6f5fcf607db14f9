"""Start a private Ray on this machine, or join a running cluster; quietly, and without leaving traces."""

import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from types import MappingProxyType
from typing import Any

from harness.errors import InputError
from harness.store.ownership import machine, process_is_gone

_OBJECT_STORE_BYTES = 100 * 1024**2  # arrays travel through memory-mapped files, not through Ray

_TEMPORARY = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())
_FOLDER_PREFIX = "lb-"  # short: Ray puts sockets there, whose paths are limited to 107 bytes

WORKER_ENVIRONMENT = MappingProxyType(
    {
        "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
        # glibc would give memory back after every step and fault it in again: a tenth of a float32 step.
        "MALLOC_TRIM_THRESHOLD_": str(2**30),
        "MALLOC_MMAP_THRESHOLD_": str(2**25),
        "MALLOC_ARENA_MAX": "1",  # the arenas of other threads know no threshold, and actors use such
    }
)
"""What worker processes start with."""

_OWN_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:1",
    "RAY_IGNORE_UNHANDLED_ERRORS": "1",
    "RAY_worker_niceness": "0",  # 15 by default: starves beside anything else
}


class RaySession:
    """A connection to Ray for as long as trials run.

    Args:
        address: ``HOST:PORT`` of a running cluster, or ``auto`` for the one on this machine; None: a private
            one, which ends with this process.
        cpus: Logical cores of a private one.
        gpus: GPUs of a private one; None: as Ray finds them.

    Raises:
        InputError: if no cluster answers, or it cannot be joined.
    """

    def __init__(self, address: str | None, cpus: int, gpus: int | None = None) -> None:
        os.environ.update(_OWN_ENVIRONMENT)
        self.private = address is None
        self._folder: str | None = None
        if address is None:
            os.environ.update(WORKER_ENVIRONMENT)
            _make_token()
            self._folder = _new_folder()
            place: dict[str, Any] = {
                "address": "local",
                "num_cpus": cpus,
                "num_gpus": gpus,
                "include_dashboard": False,
                "object_store_memory": _OBJECT_STORE_BYTES,
                "_temp_dir": self._folder,
            }
        else:
            place = {"address": _checked(address)}
        try:
            self.ray: Any = _connected(place, address)
        except BaseException:  # Ctrl-C while it starts
            self._remove_folder()
            raise

    @property
    def worker_options(self) -> dict[str, Any]:
        """Options of an actor that give it :data:`WORKER_ENVIRONMENT` on every machine."""
        if self.private:
            return {}  # its processes inherit ours
        return {"runtime_env": {"env_vars": dict(WORKER_ENVIRONMENT)}}

    def close(self) -> None:
        """Leave the cluster; end a private one and delete its temporary files."""
        self.ray.shutdown()
        self._remove_folder()

    def _remove_folder(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _connected(place: dict[str, Any], address: str | None) -> Any:
    import ray

    in_main_thread = threading.current_thread() is threading.main_thread()
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(log_to_driver=False, logging_level=logging.ERROR, **place)
    except (ConnectionError, TimeoutError, RuntimeError, ValueError) as error:
        if address is None:
            raise
        raise InputError(
            f"no Ray cluster can be joined at {address!r} ({_first_line(error)}); start one with 'ray start "
            "--head', give this machine that one's token (docs/cluster.md), or leave out --address for a "
            "private one"
        ) from None
    if in_main_thread:
        signal.signal(signal.SIGTERM, terminate)  # Ray replaces the handler
    _silence()
    return ray


def _make_token() -> None:
    """Give a private Ray a secret before it is imported: else it writes one into the user's home folder."""
    if "ray" not in sys.modules and "RAY_AUTH_MODE" not in os.environ:
        os.environ.update({"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)})


def _checked(address: str) -> str:
    if address.startswith("ray://"):
        raise InputError(
            f"address {address!r} is one of Ray Client, which cannot tell machines apart; run lossbench on a "
            "machine of the cluster with --address auto"
        )
    return address


def _silence() -> None:
    """Keep what Ray says of dead processes off stdout, where results go: the driver says it in a sentence."""
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = _log_for_debugging


def _log_for_debugging(data: Any, *_: Any, **__: Any) -> None:
    logging.getLogger("ray").debug("%s", data)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def _new_folder() -> str:
    """Make Ray's temporary folder, and delete those of drivers on this machine that were killed."""
    mine = f"{_FOLDER_PREFIX}{machine()}-"
    for folder in _TEMPORARY.glob(f"{mine}*-*"):
        process = folder.name.removeprefix(mine).partition("-")[0]
        if process.isdigit() and process_is_gone(int(process)):
            shutil.rmtree(folder, ignore_errors=True)
    return tempfile.mkdtemp(prefix=f"{mine}{os.getpid()}-", dir=_TEMPORARY)
