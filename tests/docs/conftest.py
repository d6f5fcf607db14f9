"""Commands as on a machine with one core: what runs side by side in processes then runs in this one."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True, scope="package")
def one_core() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "cpu_count", lambda: 1)
        patch.setattr(os, "sched_getaffinity", lambda process: {0})
        patch.delenv("LOSSBENCH_DB", raising=False)
        patch.setenv("LOSSBENCH_HOME", "lossbench-home")
        yield
