"""How results travel between databases: merge, export, import.

``merging`` brings another database's rows into ours by natural keys, with ``keyed`` (ids by key),
``cohorts`` (datasets, cases, splits), ``trials`` and ``studies`` as its steps and ``findings`` as what it
reports; ``artifact_files`` copies the files beside. ``exporting`` writes a folder of ``table_files`` with
a ``manifest``, the frames of each study and ``challenge_tables``; ``importing`` loads such a folder into
a database to merge from. What comes in is another database or a folder written by ``exporting``, never
trusted; what must not go out is a password, a host or an absolute path.
"""
