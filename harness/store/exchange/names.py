"""File names made of any text."""

import hashlib
import re

_SAFE = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_RESERVED = re.compile(r"con|prn|aux|nul|com[0-9]|lpt[0-9]")
"""What Windows opens as a device."""


def file_name(text: str) -> str:
    """Return a name that every file system takes, and another one for every other text.

    Lower-case names stay as they are; others lose what is not a letter, digit, ``-`` or ``_`` and get the
    beginning of their sha256, for some systems do not tell capitals from small letters.

    >>> file_name("quickstart"), file_name("Dice + CE / 50 %")
    ('quickstart', 'dice-ce-50-72c1c4f0')
    """
    if _SAFE.fullmatch(text) and not _RESERVED.fullmatch(text):
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    words = re.sub(r"[^a-z0-9_]+", "-", text.lower()).strip("-_")[:40].strip("-_")
    return f"{words}-{digest}" if words else digest
