"""What a node of a Ray cluster sees: runs there before anything else, without torch.

Nodes may share the driver's folders, or some, or none. Nobody has to say: a small task looks.
"""

import hashlib
import importlib.metadata
import os
import platform
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from harness.data.prepared import INDEX, array_path, open_prepared
from harness.errors import InputError

CACHE_VARIABLE = "LOSSBENCH_NODE_CACHE"
"""Names the folder in which a node keeps what it is sent."""

KINDS = ("images", "labels", "truth")
"""The arrays of a case that preparing writes; others follow from them and are computed where needed."""

ROOMS = ("data", "geometry", "losses", "metrics", "models", "scheduling", "training")
"""The parts of the package that a worker runs."""

_PACKAGE = Path(__file__).resolve().parents[2]
"""The folder of ``harness``."""


@dataclass(frozen=True)
class Contents:
    """Tells prepared datasets apart without reading their arrays.

    Attributes:
        index: sha256 of the index file.
        size: Bytes of index and arrays; derived arrays do not count.
    """

    index: str
    size: int

    @property
    def name(self) -> str:
        """Name of the dataset's folder in a node's cache."""
        return self.index[:32]


@dataclass(frozen=True)
class Question:
    """What a node is asked.

    Attributes:
        token: Random text that the driver wrote into a file.
        token_file: That file, in the artifacts folder.
        datasets: Contents of every prepared dataset, by its folder where the driver is.
    """

    token: str
    token_file: Path
    datasets: Mapping[Path, Contents]


@dataclass(frozen=True)
class Code:
    """What decides that two machines do the same."""

    lossbench: str
    digest: str
    python: str
    ray: str


@dataclass(frozen=True)
class NodeFacts:
    """What a node answers.

    Attributes:
        code: What runs there.
        shares_artifacts: Whether it can read and write the driver's artifacts folder.
        cache: Folder in which it keeps what it is sent.
        datasets: Where it finds prepared datasets, by their folder where the driver is; those it does not
            find are absent.
    """

    code: Code
    shares_artifacts: bool
    cache: Path
    datasets: Mapping[Path, Path] = field(default_factory=dict)


def scout(question: Question) -> NodeFacts:
    """Look around on this machine.

    Raises:
        InputError: if the cache folder cannot be made or belongs to somebody else.
    """
    cache_folder = node_cache()
    found = {}
    for folder, wanted in question.datasets.items():
        for candidate in (folder, delivered_to(cache_folder, wanted)):
            if contents_of(candidate) == wanted:
                found[folder] = candidate
                break
    return NodeFacts(code_here(), _shares_artifacts(question), cache_folder, found)


def node_cache() -> Path:
    """Return the folder in which this node keeps what it is sent; it is made, for this user only.

    Nothing there is ever deleted but by its owner: whoever needs the space may remove the folder while no
    run uses the node.

    Raises:
        InputError: if it cannot be made, or is somebody else's.
    """
    named = os.environ.get(CACHE_VARIABLE)
    usual = Path(tempfile.gettempdir()) / f"lossbench-cache-{os.getuid()}"
    folder = Path(named).resolve() if named else usual
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = folder.lstat().st_uid
    except OSError as error:
        raise InputError(
            f"the cache folder {str(folder)!r} cannot be made ({error.strerror}); set {CACHE_VARIABLE} to "
            "another one before `ray start`"
        ) from None
    if not named and owner != os.getuid():  # anybody can make folders among the temporary ones
        raise InputError(
            f"the cache folder {str(folder)!r} belongs to another user; set {CACHE_VARIABLE} to another one "
            "before `ray start`"
        )
    return folder


def delivered_to(cache_folder: Path, contents: Contents) -> Path:
    """Return where a node's cache keeps a prepared dataset."""
    return cache_folder / "prepared" / contents.name


def contents_of(folder: Path) -> Contents | None:
    """Return what lies in a folder, or None if it is no whole prepared dataset."""
    try:
        index = (folder / INDEX).read_bytes()
        size = sum(path.stat().st_size for path in files_of(folder))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Contents(hashlib.sha256(index).hexdigest(), size)


def files_of(folder: Path) -> list[Path]:
    """Return the index and the arrays of a prepared dataset, without what is derived from them."""
    positions = range(len(open_prepared(folder).cases))
    return [folder / INDEX, *(array_path(folder, position, kind) for position in positions for kind in KINDS)]


@cache
def code_here() -> Code:
    """Return what runs on this machine; the digest is over the text of :data:`ROOMS`."""
    digest = hashlib.sha256()
    paths = [*_PACKAGE.glob("*.py"), *(path for room in ROOMS for path in (_PACKAGE / room).rglob("*.py"))]
    for path in sorted(paths):
        content = path.read_bytes()
        digest.update(b"%b %d\n%b" % (path.relative_to(_PACKAGE).as_posix().encode(), len(content), content))
    return Code(_version("lossbench"), digest.hexdigest()[:16], platform.python_version(), _version("ray"))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _shares_artifacts(question: Question) -> bool:
    """Whether this machine reads the driver's token, and can write beside it."""
    trace = question.token_file.with_name(f"{question.token_file.name}-{secrets.token_hex(4)}")
    try:
        if question.token_file.read_text() != question.token:
            return False
        trace.touch(exist_ok=False)
    except OSError:
        return False
    with suppress(OSError):
        trace.unlink()
    return True
