"""Statistics: pure functions over frames and arrays, with what they assume and where they come from.

The way of a number: scores of cases (``results``) become one value for every patient of every run under a
policy for undefined values (``undefined``, ``cells``), and these a ``block`` of patients, losses and seeds on
the ``scale`` of the metric. ``crossed`` compares losses in it over patients and seeds, with seed variances
that lend each other strength (``moderation``).

What is asked of a block: who may be the ``best``, ``multiplicity``, ``versus`` a reference, ``contrasts``,
``draws`` for ranking stability and regret, a ``recommendation``; ``cell`` has all of it for one metric on
one dataset, ``dataset_answer`` and ``study_answer`` for a dataset and a study, ``wording`` in sentences,
``decision`` as plain values. Over datasets: ``several_datasets``, ``meta``, ``hierarchy``, ``dataset_ranks``,
``transfer``. What it hangs on: ``robustness``, ``conditional``, ``pareto``, ``conventional``,
``seed_correlation``. Planning: ``pilot``, ``variance_components``, ``power``, ``seeds_and_cases``,
``pair_plans``, ``study_power``, ``advisor``, ``discriminability``; adding seeds: ``stages``. How often all of
that is wrong: ``simulated_scores``, ``error_rates``. Tuning: ``expected_validation``.

Studies, files, the database and figures are unknown here.
"""
