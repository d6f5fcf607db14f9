"""Statistics: pure functions over arrays, with what they assume and where they come from.

``expected_validation`` says what tuning with some budget may be expected to find; ``crossed`` compares two
losses over patients and seeds. Values come in as arrays, numbers go out; studies, files, the database and
figures are unknown here.
"""
