"""Reports: frames from the results database in, figures, tables and one HTML page out.

Reads ``harness.store``, ``harness.study``, ``harness.losses`` and ``harness.data``; nothing in
``harness`` but its command line imports this package.
"""
