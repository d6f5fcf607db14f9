"""What a person sees of a study that runs.

A ``Board`` is the picture: one row for every dataset and loss, and the trials that run. The command that
runs the study fills it from events (``tally``), ``lossbench status`` from the database (``stored``); both are
drawn by ``board``. ``lines`` are the views for logs and programs, ``trial_text`` is what one trial told.
"""
