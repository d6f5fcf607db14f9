"""From the results of a study to what statistics ask for, and to the trials that would settle the question.

What may be shown of a study, which of its runs are whole, which looks at test scores were taken: decided here
once, for answers and reports alike. :func:`~.evidence.load_evidence` reads it; :mod:`~.until_decided` is a
source of trials that stops when the scores have decided. Imports store, study, statistics and scheduling.
"""
