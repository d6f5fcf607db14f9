"""One trial: a prepared dataset and a frozen job in, a stream of events out.

``trainer`` is a pure function of its job: same job, machine and numerics class, same bits. It
writes its checkpoint and its predictions, and knows of no study and no database.
"""
