"""Names of studies and datasets, short enough for the edge of a figure."""

from reports.compare.side_by_side import Place, SideBySide
from reports.escape import one_line


def brief(name: str, limit: int) -> str:
    """Return a name on one line; of a long one the beginning and the end, for names often differ there.

    >>> brief("hippocampus_long_training", 12)
    'hippoc…ining'
    """
    text = one_line(name)
    if len(text) <= limit:
        return text
    head = limit // 2
    return f"{text[:head]}…{text[head + 1 - limit :]}"


def brief_place(beside: SideBySide, place: Place, limit: int = 26) -> str:
    """Return what tells a place from the others, study and dataset each in a part of the room."""
    name = beside.place_name(place)
    if name in {place.study, place.dataset}:
        return brief(name, limit)
    study = brief(place.study, max(6, limit // 2 - 2, limit - 2 - len(place.dataset)))
    return f"{study}: {brief(place.dataset, max(6, limit - 2 - len(study)))}"
