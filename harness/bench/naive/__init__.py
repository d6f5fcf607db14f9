"""Scripts as people write them, for ``lossbench bench trial`` to be compared with.

Each runs as a process of its own, ``python train.py CONFIG.json RESULT.json``: :mod:`~.train` is a whole
trial from ``.nii.gz`` to test scores, :mod:`~.eager` a training loop without anything around it. They are
honest code: no step is there to lose time, and their authors knew Python and torch.
"""

from pathlib import Path

SCRIPTS = Path(__file__).parent
"""Where the scripts lie."""
