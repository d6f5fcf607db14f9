"""Ray: a private cluster is started and runs a task, or a running cluster is asked."""

import logging
import os
import secrets
import time
import warnings
from collections.abc import Iterator

from harness.cli.doctor.base import Finding, Setup, check
from harness.cli.doctor.ray_nodes import look_at_cluster

_ENVIRONMENT = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_USAGE_STATS_REPORT_URL": "http://127.0.0.1:1",
    "RAY_worker_niceness": "0",
    "RAY_NUM_REDIS_GET_RETRIES": "8",  # how often, at 1 s each, to ask a head that refuses
}
_OBJECT_STORE_BYTES = 80 * 2**20  # the least that Ray takes is 75 MiB


@check("ray", "software")
def look(setup: Setup) -> Iterator[Finding]:
    """Tell Ray's version, and use it for real."""
    os.environ.update(_ENVIRONMENT)
    if setup.address is None:
        # A token of its own, for otherwise Ray would leave one in the user's home folder; read on import.
        os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32))
    try:
        import ray
    except (ImportError, OSError) as error:
        said = f"Ray cannot be imported ({str(error).splitlines()[0]})"
        yield Finding(said, "broken", "install it again: pip install --force-reinstall ray")
        return
    yield Finding(f"Ray {ray.__version__}")
    if setup.address is None:
        yield _private(setup)
    else:
        yield from look_at_cluster(setup.address, setup.home.root)


def _private(setup: Setup) -> Finding:
    """Start a cluster of one worker on this machine, and run one task on it."""
    import ray

    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ray.init(
                address="local",
                num_cpus=1,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
                object_store_memory=_OBJECT_STORE_BYTES,
                _temp_dir=str(setup.scratch),
            )
        answer = ray.get(ray.remote(lambda: 6 * 7).remote(), timeout=15)
    except Exception as error:
        said = str(error).strip().splitlines() or [type(error).__name__]
        mend = "look at the other lines of this table; 'lossbench run --local' works without Ray"
        return Finding(f"a private cluster does not work: {said[0]}", "broken", mend)
    finally:
        ray.shutdown()
    assert answer == 42
    return Finding(f"a private cluster started and ran a task in {time.perf_counter() - began:.1f} s")
