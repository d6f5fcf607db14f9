"""Which code, libraries and hardware made a number; nothing that names a person or a place."""

import hashlib
import importlib.metadata
import platform
import subprocess
import sys
from functools import cache
from pathlib import Path

_PACKAGES = ("lossbench", "torch", "numpy", "scipy", "nibabel", "ray", "optuna")


@cache
def code_facts() -> dict[str, str]:
    """Return package versions and, in a git checkout, commit and dirty-diff hash."""
    facts = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    commit = _git("rev-parse", "HEAD")
    if commit:
        facts["commit"] = commit
        difference = _git("diff", "HEAD")
        if difference:
            facts["dirty"] = hashlib.sha256(difference.encode()).hexdigest()[:16]
    return facts


@cache
def machine_facts() -> dict[str, str]:
    """Return operating system and processor, without host or user name."""
    return {"system": f"{platform.system()} {platform.machine()}", "processor": _processor()}


def command_facts() -> dict[str, str]:
    """Return program, command and study, each without its folder."""
    return {"command": " ".join(Path(argument).name for argument in sys.argv[:3])}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _git(*arguments: str) -> str:
    package = Path(__file__).resolve().parent
    try:
        result = subprocess.run(
            ["git", "-C", str(package), *arguments], capture_output=True, text=True, timeout=10, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
