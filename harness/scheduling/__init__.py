"""Run the trials of a study and write what they give.

The ``driver`` takes trials from a ``trial_source``, hands jobs to an ``executor`` (``inline``, or the
``cluster`` of Ray workers) and is the only writer of their results: its ``heart`` keeps leases alive, its
``patience`` waits for the database. A ``worker`` is a pure function of a frozen job that yields events.
``costs``, ``order``, ``packing`` and ``time_left`` say what trials cost, and so in which order they are given
out, how many at a time, and how long that takes.
"""
