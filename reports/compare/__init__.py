"""Studies side by side: the same losses on other data, or before and after on the same data.

``side_by_side`` finds what the studies share, ``changes`` compares one with another on shared datasets,
``protocols`` lists what their files differ in, ``agreement`` compares rankings. ``tables``, ``figures`` and
``words`` show it; ``build`` writes all of it and one self-contained ``compare.html``. What may come in:
:class:`reports.results.StudyResults`, as every report reads them; nothing is estimated here, all numbers come
from ``harness.statistics``.
"""

from reports.compare.build import WrittenComparison, build_comparison

__all__ = ["WrittenComparison", "build_comparison"]
