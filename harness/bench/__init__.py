"""What things cost: benchmarks of lossbench against the libraries that people would use instead.

Here live the way of measuring (``clocks``, ``measure``), the synthetic batch that losses are timed on
(``scene``), the table of other people's losses (``peers``), and one module per benchmark. Times are
compared as ratios inside one process and one run. Nothing here is imported by a training.

Every module of this folder is imported when a name below is first asked for: a benchmark is known as soon
as its file lies here, and the workers that run ``made_up_trials`` import neither benchmarks nor torch.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.bench.base import BENCHMARKS, Benchmark, BenchOptions
    from harness.bench.run import run_benchmark, selected_rows

__all__ = ["BENCHMARKS", "BenchOptions", "Benchmark", "run_benchmark", "selected_rows"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    home = "run" if name in {"run_benchmark", "selected_rows"} else "base"
    return getattr(importlib.import_module(f"{__name__}.{home}"), name)
