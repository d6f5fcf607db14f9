"""Find the alpha schedule of a compound loss with Optuna, on validation cases only.

A search is one more trial source for the driver: its configurations are ordinary trials, and its
winner is frozen into the study's trials. Optuna's tables lie in the results database.
"""
