"""Databases as earlier versions left them, with a row in every table."""

from collections.abc import Mapping

from alembic import command
from sqlalchemy import Connection, create_engine

from harness.store.versions import alembic_config

RELEASED = ("0001", "0002", "0003", "0004", "0005")

_MOMENT = "'2026-01-02 03:04:05'"
_TRIAL = (
    "INSERT INTO trial (id, key, dataset_id, loss_id, environment_id, seed, fold, purpose, canonical, state, "
    "attempts, lease_owner, lease_expires, epoch_now, collapsed, reason, traceback, best_epoch, "
    "best_val_dsc, seconds, finished) VALUES "
)

ROWS: Mapping[str, tuple[str, ...]] = {
    "0001": (
        f"INSERT INTO study VALUES (1, 's', 'A study', '{{\"seeds\": 1}}', {_MOMENT})",
        "INSERT INTO dataset VALUES (1, 'f', 'set', 'Set', '[\"background\", \"lesion\"]')",
        "INSERT INTO patient VALUES (1, 1, 'p1')",
        "INSERT INTO \"case\" VALUES (1, 1, 'c1', NULL, '[1, 2, 3]', '[1.0, 1.0, 1.0]', '[5, 1]')",
        "INSERT INTO loss VALUES (1, 'd', 'ce', 'distribution', '{}')",
        "INSERT INTO environment VALUES (1, 'e', '{\"torch\": \"2\"}')",
        "INSERT INTO metric (id, name, version, title, unit, direction) "
        "VALUES (1, 'dsc', 1, 'DSC', '', 'higher')",
        f"{_TRIAL} (1, 'k1', 1, 1, 1, 0, 0, 'study', '{{}}', 'done', 1, NULL, NULL, NULL, FALSE, NULL, NULL, "
        f"0, 0.4, 9.5, {_MOMENT})",
        f"{_TRIAL} (2, 'k2', 1, 1, NULL, 1, 0, 'study', '{{}}', 'failed', 1, NULL, NULL, NULL, NULL, 'no', "
        f"'Traceback', NULL, NULL, NULL, {_MOMENT})",
        # Tried again after a failure: these versions kept the time of the failure.
        f"{_TRIAL} (3, 'k3', 1, 1, NULL, 2, 0, 'study', '{{}}', 'waiting', 2, NULL, NULL, NULL, NULL, NULL, "
        f"NULL, NULL, NULL, NULL, {_MOMENT})",
        "INSERT INTO study_trial VALUES (1, 1, 'CE', 'set', TRUE), (1, 2, 'CE', 'set', TRUE), "
        "(1, 3, 'CE', 'set', TRUE)",
        "INSERT INTO epoch (trial_id, epoch, train_loss, val_dsc, learning_rate, region_weight, "
        "boundary_weight, seconds) VALUES (1, 0, 0.3, 0.4, 0.001, NULL, NULL, 1.0)",
        "INSERT INTO score VALUES (1, 1, 1, 1, 'best', 'test', 0.25, 0.25, NULL), "
        "(1, 1, 1, 1, 'last', 'test', NULL, 0.0, 'prediction empty')",
        "INSERT INTO artifact VALUES (1, 1, 'model', 'k1/model.pt', 'abc', 10)",
        f"INSERT INTO look VALUES (1, 1, 'x', {_MOMENT}, TRUE)",
    ),
    "0002": (
        "INSERT INTO split VALUES (1, 1, 'h', 0, 0, '{}')",
        "INSERT INTO split_case VALUES (1, 1, 'test')",
        "UPDATE trial SET split_id = 1",
    ),
    "0003": (
        "INSERT INTO epoch_score VALUES (1, 0, 1, 1, 0.4, 0)",
        "UPDATE trial SET numerics = 'x86_64 AVX2' WHERE id = 1",
        "UPDATE epoch SET validation_seconds = 0.5, peak_bytes = 3221225472",
        "UPDATE metric SET description = 'Dice similarity coefficient.'",
    ),
    "0004": (
        f"INSERT INTO run VALUES (1, 'u', 's', 'lossbench run s.yaml', {_MOMENT}, '{{}}')",
        "UPDATE trial SET run_id = 1 WHERE id = 1",
        "UPDATE trial SET reason_epoch = 2 WHERE id = 2",
    ),
    "0005": (),
}
"""What each version adds to the rows of the one before."""


def make_database(url: str, version: str) -> None:
    """Make a database of an earlier version."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for step in RELEASED[: RELEASED.index(version) + 1]:
            _upgrade(connection, step)
            for statement in ROWS[step]:
                connection.exec_driver_sql(statement)
    engine.dispose()


def _upgrade(connection: Connection, version: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, version)
