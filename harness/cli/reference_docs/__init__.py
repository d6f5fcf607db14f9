"""The generated pages of the documentation: every command, every key, every figure and table.

``schema`` reads the pydantic models, ``words`` says types in words, ``meanings`` holds sentences for keys
whose class is silent; ``command_line``, ``study_file``, ``dataset_file`` and ``reports_page`` lay pages out,
and ``pages`` is the list of them. The pages are kept under ``docs/``, so that they can be read where the code
is browsed; ``python -m harness.cli.reference_docs docs`` writes them, and a test holds them up to date.
"""
