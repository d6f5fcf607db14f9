"""Scores of a predicted segmentation against the truth, per case and class.

What lives here: pure functions over boolean masks and surface distances (:mod:`~.overlap`,
:mod:`~.surface`), and :mod:`~.evaluate`, which lists the metrics in a registry, scores a restacked
volume in physical units and applies the one policy for undefined values.

What may come in: numpy arrays, voxel spacing, :mod:`harness.geometry`. What must not: models,
files, the database, or any choice that depends on which loss made the prediction.
"""

from harness.metrics.evaluate import IGNORE, METRICS, Comparison, Metric, Score, evaluate_case

__all__ = ["IGNORE", "METRICS", "Comparison", "Metric", "Score", "evaluate_case"]
