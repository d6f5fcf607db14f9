"""The reference of the losses, made from registry and docstrings: for the terminal, as JSON, as Markdown.

``docstrings`` and ``parameters`` read the classes, ``entries`` gathers what is known of each loss, and
``terminal`` and ``markdown_page`` lay it out; ``guide`` is the prose of the page. Nothing here computes.
"""
