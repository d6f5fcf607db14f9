"""Somebody who reads a page and types what it says, with less to train."""

import runpy
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from pathlib import Path

from tests.conftest import LOSSBENCH, lossbench

ROOT = Path(__file__).resolve().parents[2]


def sets(*changes: str) -> tuple[str, ...]:
    """Return the arguments that change keys of a study."""
    return tuple(part for change in changes for part in ("--set", change))


@dataclass
class Reader:
    """Runs the commands of a page in a folder.

    Attributes:
        folder: Where the page is read.
        shorter: Arguments to append to a command, so that it ends soon; by the command.
        stand_ins: What stands for a placeholder of the page, such as ``FOLDER``.
        patient: Whether lossbench runs in processes of its own, as long as it takes.
    """

    folder: Path
    shorter: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stand_ins: Mapping[str, str] = field(default_factory=dict)
    patient: bool = False

    def type(self, line: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a test can: lossbench and scripts in this process, make without its recipes.

        Raises:
            AssertionError: if no test knows how to run such a command.
        """
        words = [self.stand_ins.get(word, word) for word in shlex.split(line)]
        if ">" in words[:-1]:
            done = self.type(shlex.join(words[:-2]))
            (self.folder / words[-1]).write_text(done.stdout, encoding="utf-8")
            return done
        program, *arguments = words
        run = getattr(self, f"_{program}", None)
        assert run is not None, f"no test runs {line!r}; teach tests/docs/reader.py how"
        finished: subprocess.CompletedProcess[str] = run([*arguments, *self.shorter.get(line, ())])
        return finished

    def _lossbench(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        if not self.patient:
            return lossbench(*arguments, cwd=self.folder)
        return subprocess.run(
            [*LOSSBENCH, *arguments], cwd=self.folder, capture_output=True, text=True, check=False
        )

    def _python(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        (script,) = arguments
        with chdir(self.folder):
            runpy.run_path(script, run_name="__main__")
        return _done()

    def _make(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        """Print what a target runs: it would install packages, or run all tests, this one among them."""
        return subprocess.run(
            ["make", "-n", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )

    def _source(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        assert arguments == [".venv/bin/activate"]  # tests run in an environment that is there already
        return _done()

    def _mkdir(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        (self.folder / arguments[0]).mkdir()
        return _done()

    def _cd(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        self.folder = self.folder / arguments[0]
        return _done()

    def _ls(self, arguments: list[str]) -> subprocess.CompletedProcess[str]:
        return _done("\n".join(sorted(each.name for each in (self.folder / arguments[0]).iterdir())))


def _done(text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.CompletedProcess([], 0, text, "")
