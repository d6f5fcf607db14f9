"""Numbers printed in papers, for the columns beside ours.

Here live the rows of the papers' tables (``numbers``, one CSV file per study), where each comes from and
what it means (``sources``), and the look-up by dataset and loss. Nothing is measured here and nothing
computed from what was printed, but for per cent of a DSC divided by 100. Of the project only the exception
for bad input comes in: datasets and losses are named in words, and a test holds that these names exist.

    >>> found = published_for("wmh2017", "gdl + boundary", "hd95")
    >>> [(number.loss, number.printed) for number in found]
    [('L_GD + L_B 2D maps', '2.04 mm')]
"""

from harness.published.lookup import published_for
from harness.published.model import PublishedNumber, Source
from harness.published.rows import STUDIES, published_numbers
from harness.published.sources import SOURCES

__all__ = ["SOURCES", "STUDIES", "PublishedNumber", "Source", "published_for", "published_numbers"]
