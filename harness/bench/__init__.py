"""What things cost: benchmarks of lossbench against the libraries that people would use instead.

Here live the way of measuring (``clocks``, ``measure``), the synthetic batch that losses are timed on
(``scene``), the table of other people's losses (``peers``), and one module per benchmark. Times are
compared as ratios inside one process and one run. Nothing here is imported by a training.

Every module of this folder is imported below: a benchmark is known as soon as its file lies here.
"""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions  # noqa: E402
from harness.bench.run import run_benchmark, selected_rows  # noqa: E402

__all__ = ["BENCHMARKS", "BenchOptions", "Benchmark", "run_benchmark", "selected_rows"]
