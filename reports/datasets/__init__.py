"""Datasets to look at: a sheet with a picture of some cases, and a card with the numbers of all.

Cases come in one at a time and leave a slice or a few numbers here, so that the memory needed is that
of one case. Reading files is not done here: whoever calls passes decoded cases.
"""
