"""Run single checks of the doctor, here or in a process of their own."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

from harness.cli.doctor import Finding, Setup, examine
from harness.cli.home import Home

ONE_CHECK = """\
import json, sys
from pathlib import Path
from harness.cli.doctor import Setup, examine, scratch_folder
from harness.cli.home import Home
setup = Setup(Home(Path(sys.argv[2])), Path("data"), None, scratch_folder())
try:
    (found,) = examine(setup, [sys.argv[1]])
finally:
    setup.scratch.rmdir()
print(json.dumps([vars(each) for each in found.findings]))
"""


def setup_in(folder: Path) -> Setup:
    """An installation whose folders are not there yet."""
    (folder / "scratch").mkdir()
    return Setup(Home(folder / "home"), folder / "data", None, folder / "scratch")


def findings(setup: Setup, name: str) -> tuple[Finding, ...]:
    (found,) = examine(setup, [name])
    return found.findings


def with_database(setup: Setup, url: str) -> Setup:
    return Setup(Home(setup.home.root, url), setup.data, setup.address, setup.scratch)


def run(command: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def in_shell(name: str, home: Path, before: str) -> list[dict[str, str]]:
    """Run one check in a process of its own, after shell commands."""
    check = shlex.join([sys.executable, "-c", ONE_CHECK, name, str(home)])
    done = run(["bash", "-c", f"{before} && exec {check}"], home)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, str]] = json.loads(done.stdout)
    return found
