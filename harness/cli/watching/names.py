"""What trials that tune a loss are called beside the study's own."""

from harness.study.seeds import INNER_SEED

_TUNED = " (tuned)"


def loss_shown(label: str, purpose: str) -> str:
    """Return the label of a loss; of trials that tune it, that of what is tuned.

    >>> loss_shown("GDL + BL (tuned)", "search")
    'GDL + BL (tuning)'
    """
    return f"{label.removesuffix(_TUNED)} (tuning)" if purpose == "search" else label


def seed_shown(seed: int) -> str:
    """Return a seed index; inner seeds count from 0 and say so.

    >>> seed_shown(3), seed_shown(1_000_002)
    ('3', 'inner 2')
    """
    return str(seed) if seed < INNER_SEED else f"inner {seed - INNER_SEED}"
