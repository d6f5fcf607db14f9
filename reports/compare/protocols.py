"""What the files of studies differ in, key by key."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.store.privacy import document_without_paths
from reports.results import StudyResults

ABSENT = "absent"
_NAMES = {"datasets": "dataset", "losses": "label"}
"""Lists whose entries have names, and the key that holds the name."""
_OWN = ("study", "title")
"""Keys that name a study instead of saying how it works."""


def differences(studies: Sequence[StudyResults]) -> list[tuple[str, tuple[str, ...]]]:
    """Return every key of the study files, defaults filled in, with the value in each study if they differ.

    Keys are dotted; datasets and losses are found by their names. Where a whole part is absent in a study,
    one row says so. Nobody's folders are shown.
    """
    documents = [_named(document_without_paths(each.document.resolved)) for each in studies]
    return list(_differences("", documents))


def _named(document: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in document.items() if key not in _OWN}
    for key, name in _NAMES.items():
        entries = found.get(key)
        if isinstance(entries, Sequence) and not isinstance(entries, str):
            found[key] = {
                str(entry.get(name, entry)) if isinstance(entry, Mapping) else str(entry): _rest(entry, name)
                for entry in entries
            }
    return found


def _rest(entry: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key != name} if isinstance(entry, Mapping) else {}


def _differences(path: str, values: Sequence[Any]) -> Iterator[tuple[str, tuple[str, ...]]]:
    if all(value == values[0] for value in values):
        return
    if not all(isinstance(value, Mapping) for value in values):
        yield path, tuple(_text(value) for value in values)
        return
    for key in dict.fromkeys(key for value in values for key in value):
        inner = f"{path}.{key}" if path else str(key)
        yield from _differences(inner, [value.get(key, _Absent) for value in values])


class _Absent:
    """Stands for a key that a study does not have."""


def _text(value: Any) -> str:
    """Return a value as people read it."""
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(each)}" for key, each in value.items()) or "there, with the defaults"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "; ".join(map(_text, value)) or "none"
    words = {_Absent: ABSENT, None: "none", True: "yes", False: "no"}
    simple = isinstance(value, bool | type) or value is None
    return words[value] if simple else f"{value:g}" if isinstance(value, float) else str(value)
