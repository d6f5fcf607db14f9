"""Run the trials of a study and write what they give.

The ``driver`` takes trials from a ``TrialSource``, hands jobs to an ``Executor`` and is the only
writer of their results. A worker is a pure function of a frozen job that yields events.
"""
