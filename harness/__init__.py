"""Loss benchmarking for 2D medical image segmentation: every room except the reports.

Rooms and who may import whom (one way) are listed in ``docs/architecture.md`` and held by
``tests/test_architecture.py``. Two modules at this level, :mod:`harness.errors` and
:mod:`harness.registry`, belong to no room and may be imported by all.
"""

__version__ = "0.1.0"
