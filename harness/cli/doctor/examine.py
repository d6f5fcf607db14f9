"""Run all checks at once, each in a process of its own, which may fail, die or hang."""

import os
import shutil
import signal
import tempfile
import time
import traceback
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing import get_all_start_methods, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

from harness.cli.doctor.base import CHECKS, GROUPS, Finding, Setup
from harness.store.privacy import without_secrets

SECONDS = 20.0
"""How long a check may take. All start together, so this bounds the whole, too."""

_SCRATCH_PARENT = Path("/tmp") if Path("/tmp").is_dir() else Path(tempfile.gettempdir())

# A check must see the machine as a fresh command does; spawning would import everything again.
_CONTEXT = get_context("fork") if "fork" in get_all_start_methods() else get_context("spawn")


@dataclass(frozen=True)
class Diagnosis:
    """What one check found, and how long it looked."""

    check: str
    findings: tuple[Finding, ...]
    seconds: float


@dataclass(frozen=True)
class _Running:
    name: str
    process: BaseProcess
    answer: Connection
    started: float


def examine(setup: Setup, names: Iterable[str] | None = None, seconds: float = SECONDS) -> list[Diagnosis]:
    """Run checks and return what each found, in the order of the table.

    Args:
        setup: What is looked at; its scratch folder is made here, inside the one that is given.
        names: Which checks; all if absent.
        seconds: How long each may take.
    """
    chosen = list(CHECKS if names is None else names)
    chosen.sort(key=lambda name: GROUPS.index(CHECKS[name].group))
    running: list[_Running] = []
    try:
        for name in chosen:
            running.append(_start(name, setup))
        deadline = time.monotonic() + seconds
        return [_diagnosis(each, deadline) for each in running]
    finally:
        for each in running:
            _end(each)


def scratch_folder() -> Path:
    """Make a folder for what checks write, with the short path that Ray's sockets need."""
    return Path(tempfile.mkdtemp(prefix="lb-doctor-", dir=_SCRATCH_PARENT))


def _start(name: str, setup: Setup) -> _Running:
    answer, teller = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_look, args=(name, setup, teller), daemon=True)
    process.start()
    teller.close()
    return _Running(name, process, answer, time.monotonic())


def _look(name: str, setup: Setup, teller: Connection) -> None:
    """Run one check, in its own process."""
    os.setsid()  # so that it can be ended with everything that it started
    silence = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silence, stream)
    own = replace(setup, scratch=setup.scratch / name.replace(" ", "-"))
    own.scratch.mkdir()
    began = time.monotonic()
    try:
        for finding in CHECKS[name].look(own):
            teller.send(_without_secrets(finding))
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}, line {last.lineno}"
        said = f"{type(error).__name__}: {error}".splitlines()[0]
        teller.send(_without_secrets(_unfinished(f"the check itself failed ({said}; {where})")))
    finally:
        shutil.rmtree(own.scratch, ignore_errors=True)
    teller.send(time.monotonic() - began)
    teller.close()


def _without_secrets(finding: Finding) -> Finding:
    return Finding(without_secrets(finding.found), finding.state, without_secrets(finding.remedy))


def _diagnosis(running: _Running, deadline: float) -> Diagnosis:
    """Collect what a check finds, until it is through, dies, or its time is up."""
    findings: list[Finding] = []
    while running.answer.poll(max(0.0, deadline - time.monotonic())):
        try:
            told: Finding | float = running.answer.recv()
        except EOFError:
            running.process.join(1)
            code = running.process.exitcode
            findings.append(_unfinished(f"the process of the check died (exit code {code})"))
            told = time.monotonic() - running.started
        if isinstance(told, float):
            return Diagnosis(running.name, tuple(findings), told)
        findings.append(told)
    seconds = time.monotonic() - running.started
    return Diagnosis(running.name, (*findings, _hung(seconds)), seconds)


def _hung(seconds: float) -> Finding:
    return Finding(
        f"no answer for {seconds:.0f} s",
        "broken",
        "see what it waits for: a file server, the network, or a machine under too much load",
    )


def _unfinished(found: str) -> Finding:
    return Finding(found, "broken", "run 'lossbench doctor' again, and report it if it stays")


def _end(running: _Running) -> None:
    """Leave nothing of a check behind: neither its process nor what that started."""
    running.process.join(0.5)
    with suppress(ProcessLookupError, PermissionError):
        # Before its setsid the process has no group of its own, and ours must live.
        if running.process.pid is not None and os.getpgid(running.process.pid) == running.process.pid:
            os.killpg(running.process.pid, signal.SIGKILL)
    if running.process.is_alive():
        running.process.kill()
    running.process.join(1)
    running.answer.close()
