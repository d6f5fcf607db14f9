"""Simulators: any number of cases, written as the official archive unpacks.

What lives here makes folders that the layouts read without knowing that the data is simulated,
but for the marker :data:`MARKER` in the root, by which everything downstream adds ``-sim`` to the
dataset's name. Nothing is downloaded: heads come from the template inside ``nilearn``.

One folder here per archive, found by itself: it registers a :class:`Simulator` and, under the same
name, the numbers of the real archive (:mod:`harness.data.simulate.targets`).

A case depends on the seed, its index and the options only, so the first cases of a larger
simulation equal a smaller one, whatever the number of workers.
"""

import json
import os
import pkgutil
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from harness.data.parallel import run_each
from harness.data.simulate.targets import TARGETS, Target
from harness.errors import InputError, nearest
from harness.registry import Registry

__all__ = ["MARKER", "SIMULATORS", "TARGETS", "Options", "Simulator", "Target", "simulate"]

MARKER = "SIMULATED.json"


@dataclass(frozen=True)
class Options:
    """How to simulate, beside the seed.

    Attributes:
        sites: Sites to cycle through.
        inplane_mm: In-plane voxel size in millimetres at the same field of view; the site's own
            if None. Slices stay as thick as they are.
    """

    sites: tuple[str, ...]
    inplane_mm: float | None = None


@dataclass(frozen=True)
class Simulator:
    """A registered simulator.

    Attributes:
        write_case: Writes case ``index`` of a seed below a folder: ``(folder, seed, index, options)``.
            What counts as one is up to the archive: a patient's folder with two frames, for example.
        sites: All sites that it knows, in the order of the default cycle; empty if it knows none.
        version: Raised whenever the same seed gives other data than before.
    """

    write_case: Callable[[Path, int, int, Options], None] = field(repr=False)
    sites: tuple[str, ...]
    version: int


SIMULATORS: Registry[Simulator] = Registry("simulator")


def simulate(
    name: str,
    out: Path,
    *,
    cases: int,
    seed: int,
    workers: int = 1,
    inplane_mm: float | None = None,
    sites: Sequence[str] | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Path:
    """Write a simulated dataset to ``out``, whole or not at all.

    An ``out`` that holds the same simulation already is left as it is. With several workers the
    caller must be importable (``if __name__ == "__main__":`` in scripts): they are spawned.

    Args:
        name: A registered simulator.
        out: The dataset's folder, to be created.
        cases: Number of cases.
        seed: Any integer from 0 up.
        workers: Processes to use.
        inplane_mm: In-plane voxel size in millimetres; the archive's if None.
        sites: Sites to cycle through; all if None.
        progress: Called as (cases done, cases in all).

    Returns:
        ``out``.

    Raises:
        InputError: if an option is out of range or ``out`` holds something else.
    """
    simulator = SIMULATORS[name]
    options = Options(_known_sites(simulator, sites), inplane_mm)
    _check_ranges(name, cases, seed, workers, inplane_mm)
    marker = {
        "generator": f"lossbench {name}",
        "version": simulator.version,
        "seed": seed,
        "cases": cases,
        "options": {"inplane_mm": inplane_mm, "sites": list(options.sites)},
    }
    if _is_done(out, marker):
        return out
    out.parent.mkdir(parents=True, exist_ok=True)
    partial_folder = Path(tempfile.mkdtemp(prefix=f".{out.name}.partial-", dir=out.parent))
    try:
        jobs = {index: (name, partial_folder, seed, options, index) for index in range(cases)}
        for done, _ in enumerate(run_each(_write_case, jobs, workers), 1):
            progress(done, cases)
        (partial_folder / MARKER).write_text(json.dumps(marker, indent=2) + "\n", encoding="utf-8")
        partial_folder.chmod(0o755)
        _move(partial_folder, out, marker)
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return out


def _known_sites(simulator: Simulator, sites: Sequence[str] | None) -> tuple[str, ...]:
    chosen = simulator.sites if sites is None else tuple(sites)
    if not simulator.sites:
        if chosen:
            raise InputError(f"site {chosen[0]!r} was asked for, but this simulator knows no sites")
        return ()
    for site in chosen:
        if site not in simulator.sites:
            hint = nearest(site, simulator.sites) or f"; known: {', '.join(simulator.sites)}"
            raise InputError(f"unknown site {site!r}{hint}")
    if not chosen or len(set(chosen)) != len(chosen):
        raise InputError(
            f"sites {list(chosen)} must be one or more different names of {list(simulator.sites)}"
        )
    return chosen


def _check_ranges(name: str, cases: int, seed: int, workers: int, inplane_mm: float | None) -> None:
    for what, value, low, high in (
        ("cases", cases, 1, 100_000),
        ("seed", seed, 0, 2**63),
        ("workers", workers, 1, 4096),
        ("inplane_mm", 1.0 if inplane_mm is None else inplane_mm, 0.5, 8.0),
    ):
        if not low <= value <= high:
            raise InputError(f"simulator {name!r}: {what} must lie between {low} and {high} (got {value})")


def _is_done(out: Path, marker: dict[str, Any]) -> bool:
    """Whether ``out`` holds this simulation; anything else there, but an empty folder, is refused."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    try:
        found = json.loads((out / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError(
            f"{str(out)!r} exists and is no simulated dataset (no readable {MARKER}); choose another folder"
        ) from None
    if found != marker:
        differing = [key for key in marker if not isinstance(found, dict) or found.get(key) != marker[key]]
        raise InputError(
            f"{str(out)!r} holds another simulation (it differs in {', '.join(differing) or 'its marker'}); "
            "choose another folder or remove this one"
        )
    return True


def _write_case(name: str, folder: Path, seed: int, options: Options, index: int) -> None:
    SIMULATORS[name].write_case(folder, seed, index, options)


def _move(folder: Path, out: Path, marker: dict[str, Any]) -> None:
    try:
        os.rename(folder, out)
    except OSError:
        # Somebody else finished the same simulation meanwhile; everything else is an error.
        if not _is_done(out, marker):
            raise


# Simulators register themselves; they import the names above, hence the place of these lines.
for _found in pkgutil.iter_modules(__path__):
    if _found.ispkg:
        import_module(f"{__name__}.{_found.name}")
