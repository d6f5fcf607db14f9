"""An index of a folder of reports: what each is about, what it says, and its headline figure.

Everything is read from the reports themselves (``report.html``, ``decision.json``, ``figures/``), so that
reports of several databases, or those that somebody sent, stand beside each other. What may come in: files.
"""

from reports.gallery.build import WrittenGallery, build_gallery

__all__ = ["WrittenGallery", "build_gallery"]
