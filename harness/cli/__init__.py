"""The command line: puts the rooms together, prints, and turns errors into exit codes.

Data goes to stdout, progress and messages to stderr. Exit codes: 0 done, 1 part of the work
failed, 2 bad input, 75 paused, 130 interrupted. Heavy libraries are imported inside the commands.
"""
