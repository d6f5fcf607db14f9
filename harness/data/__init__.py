"""From files of patients to arrays that a trial can index.

``description`` says what a dataset is, ``manifest`` writes a first one for an unknown folder, ``layouts``
find its files, ``volume`` and ``read`` decode them, ``checks`` find what is wrong with them.
``prepare`` caches slices and labels, ``prepared`` reads them and what ``derived`` computes from them
(distance maps, components, ...). ``splits`` divides the patients; ``batches`` serves slices from a
``storage`` in an order and with changes (``augment``) that come from ``tables`` which no loss can
influence. ``simulate`` writes made-up archives in the official layouts.
Imports ``harness.geometry`` only.
"""
