"""Figures: one function each, in a module of its own, filed in :data:`FIGURES`.

To add a figure, put a module here with a function of :class:`reports.results.StudyResults` that returns
:class:`Drawing` objects, decorated with ``@register_figure("F4", "name")``; where data are missing it raises
:class:`NothingToDraw` with a sentence. ``style`` holds colours and marks, ``journals`` sizes of type
and page; colours mean families. Matplotlib is imported inside functions, so that reading the registry
costs nothing.
"""

import importlib
import pkgutil

from reports.figures.registry import FIGURES, Drawing, FigureEntry, NothingToDraw, figures_in_order

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

__all__ = ["FIGURES", "Drawing", "FigureEntry", "NothingToDraw", "figures_in_order"]
