"""Optuna's tables and ours share a database and never meet."""

import threading
from concurrent.futures import ThreadPoolExecutor

import optuna
import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import make_url

from harness.errors import InputError
from harness.store.database import Database, open_database, upgrade_database
from harness.store.schema import Base
from harness.store.versions import SCHEMA_VERSION, VERSION_TABLE
from harness.tuning.storage import OPTUNA_SCHEMA, open_storage

OPTUNAS = {"studies", "trials", "alembic_version", "version_info"}


@pytest.fixture
def database(url):
    database = open_database(url, create=True)
    yield database
    database.close()


def tables(url: str, schema: str | None = None) -> set[str]:
    engine = create_engine(url)
    found = set(inspect(engine).get_table_names(schema))
    engine.dispose()
    return found


def ask_and_tell(database: Database) -> int:
    """Give the study one more trial and return how many it has."""
    storage = open_storage(database)
    study = optuna.create_study(study_name="s", storage=storage, load_if_exists=True)
    study.tell(study.ask(), 1.0)
    count = len(study.trials)
    storage.engine.dispose()
    return count


def test_both_kinds_of_tables_live_in_one_database_with_a_version_each(database, url):
    assert ask_and_tell(database) == 1
    ours = {table.name for table in Base.metadata.tables.values()} | {VERSION_TABLE}
    assert not ours & OPTUNAS
    schema = OPTUNA_SCHEMA if url.startswith("postgresql") else None
    assert ours <= tables(url)
    assert tables(url, schema) >= OPTUNAS
    if schema:
        assert not tables(url) & OPTUNAS
        assert not tables(url, schema) & ours
    engine = create_engine(url)
    with engine.connect() as connection:
        version = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalar()
        place = f"{schema}.alembic_version" if schema else "alembic_version"
        optunas = connection.exec_driver_sql(f"SELECT version_num FROM {place}").scalar()
    engine.dispose()
    assert version == SCHEMA_VERSION
    assert optunas.startswith("v")


def test_a_database_with_searches_opens_and_upgrades_and_the_searches_go_on(database, url):
    assert ask_and_tell(database) == 1
    database.close()
    assert upgrade_database(url).before == SCHEMA_VERSION
    again = open_database(url)
    assert ask_and_tell(again) == 2
    again.close()


def test_searches_that_are_there_first_do_not_pass_for_ours(url):
    storage = optuna.storages.RDBStorage(url)
    storage.engine.dispose()
    with pytest.raises(InputError, match="is not a lossbench database"):
        open_database(url, create=True)


def test_options_of_the_url_are_kept(postgresql_url):
    url = make_url(postgresql_url).update_query_dict({"options": "-c statement_timeout=12345"})
    database = open_database(url.render_as_string(hide_password=False), create=True)
    storage = open_storage(database)
    with storage.engine.connect() as connection:
        found = [
            connection.exec_driver_sql(f"SHOW {name}").scalar()
            for name in ("statement_timeout", "search_path")
        ]
    assert found == ["12345ms", "optuna"]
    storage.engine.dispose()
    database.close()


def test_a_file_whose_name_looks_like_a_template_is_opened(tmp_path):
    database = open_database(f"sqlite:///{tmp_path / '{a} 100%.db'}", create=True)
    assert ask_and_tell(database) == 1


def test_the_password_is_nowhere_in_what_optuna_may_show(postgresql_url, monkeypatch):
    url = make_url(postgresql_url).set(password="p{0}ss%41word")
    database = open_database(url.render_as_string(hide_password=False), create=True)
    storage = open_storage(database)
    assert "word" not in storage.url
    storage.engine.dispose()
    database.close()
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    gone = Database(create_engine("postgresql+psycopg://jane:secret@127.0.0.1:1/results"))
    monkeypatch.setattr("harness.tuning.storage._make_schema", lambda database: None)
    with pytest.raises(InputError, match="cannot open Optuna's tables") as caught:
        open_storage(gone)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_drivers_that_start_at_the_same_moment_all_get_their_storage(database, url):
    start = threading.Barrier(3)

    def driver(_):
        own = open_database(url)
        start.wait()
        storage = open_storage(own)
        storage.engine.dispose()
        own.close()

    with ThreadPoolExecutor(3) as drivers:
        assert list(drivers.map(driver, range(3))) == [None] * 3
