"""The results database: the only memory of a study.

``schema`` are the tables, ``database`` opens and migrates, ``trials`` moves trials through their
states under leases, ``frames`` reads tidy pandas frames, ``provenance`` tells which code and
machine made a number. Imports no other room: what is stored comes in as plain values.
"""
