"""Keep folders, and so user and institute names, out of what people share."""

import re
from collections.abc import Mapping
from typing import Any

_PATH = re.compile(r"(?<![\w.:/])(?:[A-Za-z]:\\|~?/)(?:[^\s'\"<>|:;,/\\]+[/\\])+(?P<name>[^\s'\"<>|:;,/\\]*)")


def without_paths(text: str) -> str:
    """Return ``text`` with every absolute path cut down to its last part.

    >>> without_paths("cannot read '/home/jane/wmh/image.nii.gz': truncated")
    "cannot read 'image.nii.gz': truncated"
    """
    return _PATH.sub(lambda match: match["name"] or "(folder)", text)


def document_without_paths(node: Any) -> Any:
    """Return a nest of mappings and lists with :func:`without_paths` applied to every text."""
    if isinstance(node, str):
        return without_paths(node)
    if isinstance(node, Mapping):
        return {key: document_without_paths(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [document_without_paths(value) for value in node]
    return node
