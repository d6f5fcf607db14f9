"""What is inside the page: pictures always, downloads while there is room for them."""

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

PAGE_BYTES = 14_000_000
"""What the page may weigh with the downloads in it."""

_LARGEST_DOWNLOAD = 1_000_000
"""Bytes: browsers refuse addresses of two million characters, and larger files lie beside the page."""

_COLOURS = 128
"""Of a picture that stands for a drawing: its type stays sharp, and it weighs a quarter."""

_TYPES = {
    "csv": "text/csv",
    "tex": "application/x-tex",
    "pdf": "application/pdf",
    "bib": "text/x-bibtex",
    "md": "text/markdown",
    "png": "image/png",
    "html": "text/html",
}
_FIRST = ("csv", "tex", "pdf")
"""What papers are made of goes into the page first; the rest is on the page already, in another form."""

_LABELS = {"md": "Markdown", "tex": "LaTeX", "bib": "BibTeX"}


@dataclass(frozen=True)
class Download:
    """A link that gives a file.

    Attributes:
        label: Its format.
        name: The file's name.
        address: The file itself as ``data:``, or where it lies beside the page.
        inside: Whether it is the file itself.
    """

    label: str
    name: str
    address: str
    inside: bool


def downloads(files: Iterable[Path], room: int) -> Mapping[Path, Download]:
    """Return a link for every file: embedded while there is room, what papers take and the small ones first.

    Args:
        files: On disk, in a folder beside the page.
        room: Bytes that all embedded ones may take.
    """
    sizes = {path: path.stat().st_size for path in files}
    found: dict[Path, Download] = {}
    for path in sorted(sizes, key=lambda each: (each.suffix[1:] not in _FIRST, sizes[each], each.name)):
        cost = 4 * sizes[path] // 3
        inside = sizes[path] <= _LARGEST_DOWNLOAD and cost <= room
        room -= cost if inside else 0
        found[path] = _download(path, inside)
    return found


def text_download(name: str, text: str) -> Download:
    """Return a link that gives a text under the name of a file."""
    suffix = name.rpartition(".")[2]
    return Download(_label(suffix), name, data_address(text.encode(), _TYPES[suffix]), inside=True)


def data_address(content: bytes, content_type: str) -> str:
    """Return content as the address that holds it."""
    return f"data:{content_type};base64,{base64.b64encode(content).decode()}"


def compact_png(path: Path) -> bytes:
    """Return a drawing in few colours, for a fraction of its weight; the same file gives the same bytes."""
    from PIL import Image

    with Image.open(path) as picture:
        few = picture.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
    written = BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()


def pixels(content: bytes) -> tuple[int, int]:
    """Return width and height of a picture."""
    from PIL import Image

    with Image.open(BytesIO(content)) as picture:
        return picture.size


def _download(path: Path, inside: bool) -> Download:
    suffix = path.suffix[1:]
    address = data_address(path.read_bytes(), _TYPES[suffix]) if inside else f"{path.parent.name}/{path.name}"
    return Download(_label(suffix), path.name, address, inside)


def _label(suffix: str) -> str:
    return _LABELS.get(suffix, suffix.upper())
