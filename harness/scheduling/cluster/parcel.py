"""Send a prepared dataset to a node that does not see it: pieces of it in Ray's object store.

The files are joined to one stream and cut into chunks, each an object of its own: the object store may be
far smaller than the dataset. A node writes the files below its cache, checks them, and gives them
their name when all are whole.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from harness.errors import InputError
from harness.scheduling.cluster.scout import (
    CACHE_VARIABLE,
    Contents,
    contents_of,
    delivered_to,
    files_of,
    node_cache,
)

CHUNK_BYTES = 32 * 2**20

_SPARE_BYTES = 64 * 2**20
"""Left free on the node's disk, for what trials write beside the dataset."""


@dataclass(frozen=True)
class PackedFile:
    """A file of the stream, in its order."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Parcel:
    """A prepared dataset in the object store.

    Attributes:
        contents: What it is.
        files: The files in the order of the stream.
        chunks: References of the chunks ``(bytes,)``, uint8.
    """

    contents: Contents
    files: tuple[PackedFile, ...]
    chunks: tuple[Any, ...]


class Damaged(Exception):
    """A file did not arrive as it was sent; worth another try."""


def pack(folder: Path, contents: Contents, put: Callable[[Any], Any], go_on: Callable[[], bool]) -> Parcel:
    """Put a prepared dataset into the object store.

    Args:
        folder: The dataset; derived arrays stay.
        contents: What it is.
        put: ``ray.put``.
        go_on: Asked before every chunk; the parcel is incomplete and of no use once it says no.

    Raises:
        OSError: if a file cannot be read.
    """
    files, chunks, chunk = [], [], bytearray()
    for path in files_of(folder):
        digest, size = hashlib.sha256(), 0
        with path.open("rb") as stream:
            while go_on() and (block := stream.read(CHUNK_BYTES - len(chunk))):
                digest.update(block)
                size += len(block)
                chunk += block
                if len(chunk) == CHUNK_BYTES:
                    chunks.append(put(np.frombuffer(chunk, np.uint8)))
                    chunk = bytearray()
        files.append(PackedFile(path.name, size, digest.hexdigest()))
    if chunk:
        chunks.append(put(np.frombuffer(chunk, np.uint8)))
    return Parcel(contents, tuple(files), tuple(chunks))


def deliver(parcel: Parcel) -> Path:
    """Write a parcel below the cache folder of this machine, unless it lies there; runs on the node.

    Several processes may do so at the same time: one writes, the others wait.

    Returns:
        The dataset's folder.

    Raises:
        InputError: if the disk has no room for it, or the cache folder cannot be used.
        Damaged: if a file did not arrive as it was sent.
    """
    import ray

    target = delivered_to(node_cache(), parcel.contents)
    target.parent.mkdir(mode=0o700, exist_ok=True)
    with FileLock(target.with_suffix(".lock")):
        if contents_of(target) == parcel.contents:
            return target
        partial = target.with_suffix(".partial")
        for leftover in (partial, target):  # of a killed process, or with files that somebody deleted
            shutil.rmtree(leftover, ignore_errors=True)
        _check_room(target.parent, parcel)
        partial.mkdir()
        try:
            unpack(parcel, map(ray.get, parcel.chunks), partial)
        except OSError as error:
            shutil.rmtree(partial, ignore_errors=True)
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise _no_room(target.parent, parcel) from None
            raise
        partial.replace(target)
    return target


def unpack(parcel: Parcel, chunks: Iterator[Any], folder: Path) -> None:
    """Cut the stream of chunks into files again.

    Raises:
        Damaged: if a file is not what it was.
    """
    chunk = memoryview(b"")
    for file in parcel.files:
        digest, left = hashlib.sha256(), file.size
        with (folder / file.name).open("wb") as stream:
            while left:
                chunk = chunk or memoryview(next(chunks, b""))
                if not chunk:
                    raise Damaged(f"file {file.name!r} of a prepared dataset did not arrive whole")
                block, chunk = chunk[:left], chunk[left:]
                stream.write(block)
                digest.update(block)
                left -= len(block)
        if digest.hexdigest() != file.sha256:
            raise Damaged(f"file {file.name!r} of a prepared dataset did not arrive as it was sent")


def _check_room(folder: Path, parcel: Parcel) -> None:
    if shutil.disk_usage(folder).free < parcel.contents.size + _SPARE_BYTES:
        raise _no_room(folder, parcel)


def _no_room(folder: Path, parcel: Parcel) -> InputError:
    needed, free = parcel.contents.size / 1e9, shutil.disk_usage(folder).free / 1e9
    return InputError(
        f"a prepared dataset of {needed:.2f} GB does not fit into {str(folder)!r} ({free:.2f} GB are free); "
        f"make room there, or set {CACHE_VARIABLE} to a larger disk before `ray start`"
    )
