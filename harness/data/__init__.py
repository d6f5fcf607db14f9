"""From files of patients to arrays that a trial can index.

``description`` says what a dataset is, ``layouts`` find its files, ``read`` decodes them,
``prepare`` caches slices and labels and what ``derived`` computes from them (distance maps,
components, ...), ``splits`` divides the patients, ``batches`` serves them in an order that no loss
can influence. ``simulate`` writes made-up archives in the official layouts.
Imports ``harness.geometry`` only.
"""
