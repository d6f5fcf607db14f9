"""Find parameters, learning rates and alpha schedules with Optuna: for every loss the same budget.

A *search* (one loss on one fold of one dataset) is one more trial source for the driver. Its
*configurations* are ordinary trials, which are validated and never tested, and its winner is frozen into the
study's trials. Optuna's tables lie in the results database; what is searched stands in the study
(:mod:`harness.study.tuned_loss`), how in here.
"""
