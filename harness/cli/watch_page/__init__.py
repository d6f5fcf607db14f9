"""``lossbench watch``: a study's report and its progress in a browser on this machine, while it runs.

``progress`` turns what the database knows into JSON and HTML, ``report_files`` keeps the report fresh and
replaces its files whole, ``server`` serves both on the loopback address and nothing else, ``command`` puts
them together. Results come from ``reports``, which decides what may be shown.
"""
