"""Which code, libraries and command made a number; nothing that names a person, a computer or a place.

The hardware is told by the worker that trains: :func:`harness.training.hardware.hardware_facts`.
"""

import hashlib
import importlib.metadata
import json
import platform
import re
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from harness.store.privacy import shareable

PACKAGES = (
    "lossbench",
    "torch",
    "numpy",
    "scipy",
    "pandas",
    "nibabel",
    "nilearn",
    "scikit-image",
    "pillow",
    "edt",
    "numba",
    "ray",
    "optuna",
    "sqlalchemy",
)
"""Whose versions are kept: all that a number passes through."""

_PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of ``harness``."""

_UNTRACKED = ("ls-files", "--others", "--exclude-standard", "-z")
_DIFFERENCE = ("diff", "HEAD", "--binary", "--no-color", "--no-ext-diff", "--no-textconv")

_URL = re.compile(r"(?P<scheme>[A-Za-z][\w+.-]*)://(?P<rest>.*)", re.DOTALL)
_OPTION = re.compile(r"(?P<option>--?[\w-]+=|[\w.]+=)?(?P<value>.*)", re.DOTALL)
_IN_A_FOLDER = re.compile(r"(?:\.{1,2}|[A-Za-z]:)?[/\\]|~")


@cache
def code_facts() -> dict[str, str]:
    """Return package versions and, in a git checkout, commit and a digest of what differs from it.

    ``dirty`` covers the package ``harness``, files that git does not know yet included; it is absent where
    nothing differs.
    """
    facts = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return facts | commit_facts(_PACKAGE)


def commit_facts(package: Path) -> dict[str, str]:
    """Return ``commit`` and ``dirty`` of a package; nothing where neither git nor pip knows its commit."""
    # An environment may lie inside somebody else's checkout, whose commit says nothing about the package.
    if not _git(package, "ls-files", "--", "__init__.py"):
        return _installed_commit()
    facts = {"commit": _git(package, "rev-parse", "HEAD").decode().strip()}
    difference = hashlib.sha256(_git(package, *_DIFFERENCE, "--", "."))
    untracked = sorted(filter(None, _git(package, *_UNTRACKED, "--", ".").split(b"\0")))
    for name in untracked:
        path = package / name.decode(errors="surrogateescape")
        content = path.read_bytes() if path.is_file() else b""
        difference.update(b"\0%b\0%d\0%b" % (name, len(content), content))
    if difference.digest() != hashlib.sha256().digest():
        facts["dirty"] = difference.hexdigest()[:16]
    return facts if facts["commit"] else {}


def _installed_commit() -> dict[str, str]:
    """Return the commit that pip installed from, where it did."""
    try:
        text = importlib.metadata.distribution("lossbench").read_text("direct_url.json")
        commit = json.loads(text or "{}").get("vcs_info", {}).get("commit_id")
    except (importlib.metadata.PackageNotFoundError, ValueError, AttributeError):
        return {}
    return {"commit": str(commit)} if commit else {}


def plugin_facts(modules: Iterable[str]) -> dict[str, str]:
    """Return a digest of the file of every module, for losses that are somebody's own classes."""
    facts = {}
    for module in sorted(set(modules)):
        source = getattr(sys.modules.get(module), "__file__", None)
        if source and Path(source).is_file():
            facts[f"plugin {module}"] = hashlib.sha256(Path(source).read_bytes()).hexdigest()[:16]
    return facts


def command_line(arguments: Sequence[str] | None = None) -> str:
    """Return a command with every argument, as a shell would read it, for people to see.

    Folders are cut to their last part, URLs to their scheme and last part, secrets masked.

    Args:
        arguments: Program and arguments; those of this process if absent.
    """
    program, *others = sys.argv if arguments is None else arguments
    name = Path(program).name
    known = name if name not in {"-c", "-m", "__main__.py"} else "lossbench"
    return shareable(shlex.join([known, *(_cut(argument) for argument in others)]))


def _cut(argument: str) -> str:
    """Return an argument, or the value of ``--option=value`` and ``key=value``, without folders and hosts."""
    match = _OPTION.fullmatch(argument)
    assert match is not None
    option, value = match["option"] or "", match["value"]
    url = _URL.fullmatch(value)
    if url:
        return f"{option}{url['scheme']}:///{_database_in(url['rest'])}"
    if _IN_A_FOLDER.match(value) or _is_a_path(value):
        name = re.split(r"[/\\]", value.rstrip("/\\"))[-1]
        return option + (name if name and not name.startswith(("~", "..")) else "(folder)")
    return argument


def _database_in(url: str) -> str:
    """Return the last part of what follows ``scheme://``, unless it may belong to user, password or host."""
    _, slash, name = url.partition("?")[0].rpartition("/")
    return name if slash and "@" not in name else ""


def _is_a_path(value: str) -> bool:
    """Whether something of that name lies in a folder here."""
    try:
        return "/" in value and Path(value).exists()
    except (OSError, ValueError):
        return False


def packages_in(facts: Mapping[str, str]) -> dict[str, str]:
    """Return the versions among the facts of an environment, ``python`` first."""
    return {name: facts[name] for name in ("python", *PACKAGES) if name in facts}


def _git(package: Path, *arguments: str) -> bytes:
    try:
        result = subprocess.run(
            ["git", "-C", str(package), *arguments], capture_output=True, timeout=30, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return result.stdout if result.returncode == 0 else b""
