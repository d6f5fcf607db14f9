"""Workers on Ray, on this machine or many.

``pool`` is the executor. It gives jobs to ``actor`` processes, which live in ``places`` on the machines that
``nodes`` counts; ``session`` starts or joins Ray. Machines that do not see the driver's folders are asked by
``scout``; ``delivery`` sends them datasets as a ``parcel``, and ``scratch`` sends the files of trials back.
"""
