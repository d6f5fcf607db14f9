"""What a study asks: the YAML schema, and its expansion into trials with keys.

Nothing here opens images or a database. ``spec`` validates a study file, ``trial`` is one model to
train with its key, ``plan`` crosses datasets, losses, seeds and folds.
"""
