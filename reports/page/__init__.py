"""The page: ``sections`` gathers what is on it, ``report.html.jinja`` with its styles and scripts shows it.

One self-contained file: no address is loaded, pictures and downloads are inside. Every text that comes
from users passes through jinja2's escaping.
"""

from reports.page.render import render_page

__all__ = ["render_page"]
