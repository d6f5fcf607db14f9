"""Who may import whom: one way between the rooms."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOUNDATION = {"harness.errors", "harness.registry", "harness.strict_yaml", "harness.__version__"}
MAY_IMPORT: dict[str, set[str]] = {
    "geometry": set(),
    "models": set(),
    "statistics": set(),
    "published": set(),
    "losses": {"geometry"},
    "metrics": {"geometry"},
    "data": {"geometry"},
    "training": {"losses", "metrics", "models", "data"},
    "study": {"training", "losses", "metrics", "models", "data"},
    "store": set(),
    "scheduling": {"study", "training", "store", "data"},
    "answering": {"store", "study", "statistics", "scheduling", "metrics"},
    "tuning": {"scheduling", "study", "store", "losses", "metrics", "data"},
    "bench": {
        *("geometry", "losses", "metrics", "data", "models", "training"),
        *("study", "scheduling", "store", "tuning"),
    },
}
MAY_IMPORT["cli"] = set(MAY_IMPORT)
REPORTS_MAY_IMPORT: dict[str, set[str]] = {
    "answering",
    "store",
    "study",
    "tuning",
    "statistics",
    "published",
    "losses",
    "data",
    "metrics",
}


def imported_modules(path: Path) -> set[str]:
    """Return the dotted names of project modules that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names if node.module == "harness"}
    return {name for name in found if name.split(".")[0] in {"harness", "reports"} and name != "harness"}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_rooms_import_one_way(room: str) -> None:
    allowed = MAY_IMPORT[room] | {room}
    for path in sorted((ROOT / "harness" / room).rglob("*.py")):
        for name in imported_modules(path) - FOUNDATION:
            if name.startswith("reports"):
                assert room == "cli", f"{path}: only the command line imports reports"
            else:
                assert name.split(".")[1] in allowed, f"{path} imports {name}"


def test_reports_only_read() -> None:
    for path in sorted((ROOT / "reports").rglob("*.py")):
        for name in imported_modules(path) - FOUNDATION:
            if name.startswith("harness"):
                assert name.split(".")[1] in REPORTS_MAY_IMPORT, f"{path} imports {name}"


def test_every_room_is_listed() -> None:
    rooms = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert rooms == set(MAY_IMPORT)
