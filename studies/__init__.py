"""The studies that ship with lossbench, one YAML file each; run them by name."""

from importlib.resources import files
from importlib.resources.abc import Traversable


def shipped_studies() -> dict[str, Traversable]:
    """Return the study files of this package by study name, in alphabetical order."""
    found = (entry for entry in files(__name__).iterdir() if entry.name.endswith(".yaml"))
    return {entry.name.removesuffix(".yaml"): entry for entry in sorted(found, key=lambda entry: entry.name)}
