"""Scores of a predicted segmentation against the truth, per case and class.

What lives here: the metrics, in a registry that their files fill (:mod:`~.overlap`, :mod:`~.surface`,
:mod:`~.lesion`); :mod:`~.policy`, the one policy for undefined values; :mod:`~.evaluate`, which scores a
restacked volume in physical units. To add a metric, write its formula and one ``file(Metric(...))`` in one
of these files: tables, the database and the documentation read the registry. Metrics of other people come in
through :mod:`~.plugins`.

What may come in: numpy arrays, voxel spacing, :mod:`harness.geometry`. What must not: models,
files, the database, or any choice that depends on which loss made the prediction.
"""

from harness.metrics import lesion, overlap, surface  # noqa: F401 (they fill the registry)
from harness.metrics.comparison import Comparison
from harness.metrics.evaluate import IGNORE, evaluate_case
from harness.metrics.metric import METRICS, Metric, Score
from harness.metrics.plugins import find_metric, load_entry_points

__all__ = ["IGNORE", "METRICS", "Comparison", "Metric", "Score", "evaluate_case", "find_metric"]

load_entry_points()  # last: what is loaded may import from here
