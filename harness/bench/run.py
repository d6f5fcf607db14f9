"""Runs a benchmark: picks its rows, sets the threads, and lets no row stop the others."""

import importlib.metadata
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeAlias

import torch

from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions, Row
from harness.errors import InputError, nearest
from harness.training.hardware import hardware_facts

Progress: TypeAlias = Callable[[int, int, str], None]
"""progress(rows done, rows in all, name of the next one)."""

_PEERS = ("torch", "monai", "medpy", "scipy", "numba", "sqlalchemy", "pandas", "duckdb", "ray")


def run_benchmark(
    name: str, options: BenchOptions, progress: Progress = lambda done, total, row: None
) -> list[Row]:
    """Return the rows of a benchmark.

    Args:
        name: Of the benchmark.
        options: What to measure on.
        progress: Told before every row.

    Raises:
        InputError: if the benchmark, a row or the device is unknown.
    """
    _check_device(options.device)
    benchmark = BENCHMARKS[name](options)
    names = selected_rows(benchmark, name, options.only)
    rows = []
    with _threads(options.threads):
        for done, row in enumerate(names):
            progress(done, len(names), row)
            rows.append(_measured(benchmark, row))
    return rows


def selected_rows(benchmark: Benchmark, name: str, only: Sequence[str]) -> list[str]:
    """Return the names of the rows to measure, in the order of the table.

    Raises:
        InputError: if a wanted row is not one of the benchmark's.
    """
    names = list(benchmark.names())
    for wanted in only:
        if wanted not in names:
            hint = nearest(wanted, names) or f"; known: {', '.join(names)}"
            raise InputError(f"benchmark {name!r} has no row {wanted!r}{hint}")
    return [row for row in names if not only or row in only]


def machine(options: BenchOptions) -> dict[str, str | int]:
    """Return what the times depend on; nothing that names the machine."""
    found: dict[str, str | int] = {
        "cpu": hardware_facts()["processor"],
        "cores": len(os.sched_getaffinity(0)),
    }
    found["threads"] = options.threads
    if options.device == "cuda":
        found["gpu"] = torch.cuda.get_device_name()
    for package in _PEERS:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def _measured(benchmark: Benchmark, name: str) -> Row:
    try:
        return benchmark.row(name)
    except Exception as error:  # one broken loss must not hide the times of all others
        text = str(error).strip().splitlines()
        return Row(name, error=": ".join([type(error).__name__, *text[:1]]))


def _check_device(device: str) -> None:
    if device not in {"cpu", "cuda"}:
        raise InputError(f"unknown device {device!r}; use cpu or cuda")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device 'cuda' was asked for, but torch finds no GPU; use --device cpu")


@contextmanager
def _threads(wanted: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(wanted)
    try:
        yield
    finally:
        torch.set_num_threads(before)
