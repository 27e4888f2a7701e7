"""The schema arrives in steps, on both databases, up and down, and is the one in the code."""

import asyncio
from importlib import import_module
from pkgutil import iter_modules

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect

from controller import stores
from controller.errors import StoreOutdated, StoreUnavailable
from controller.stores.database import DatabaseLimits, create_engine, open_database
from controller.stores.migration import migrate
from controller.stores.revision import head_revision
from controller.stores.schema import metadata

for module in iter_modules(stores.__path__):
    if module.name.endswith("schema"):  # every one adds its tables to the same metadata
        import_module(f"controller.stores.{module.name}")


@pytest.fixture
async def empty_url(database_factory):
    url = await database_factory.empty()
    yield url
    await database_factory.dispose(url)


async def look(url, question):
    engine = create_engine(url, DatabaseLimits(), pooled=False)
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(question)
    finally:
        await engine.dispose()


def tables(connection):
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection):
    context = MigrationContext.configure(connection, opts={"compare_server_default": False})
    return compare_metadata(context, metadata)


async def test_migrations_build_the_schema_that_the_code_describes(empty_url):
    await migrate(empty_url)
    assert await look(empty_url, tables) == set(metadata.tables)
    assert await look(empty_url, differences) == []


async def test_partial_indexes_are_partial_on_the_database(empty_url):
    """Autogenerate does not compare an index's condition, so it is looked at here."""
    await migrate(empty_url)

    def conditions(connection):
        found = {}
        for table in ("stream_keys", "publications", "product_pins"):
            for index in inspect(connection).get_indexes(table):
                for option, value in index.get("dialect_options", {}).items():
                    if option.endswith("_where"):
                        found[index["name"]] = str(value).lower().strip("()")
        return found

    assert await look(empty_url, conditions) == {
        "uq_stream_keys_active": "revoked_at is null",
        "uq_publications_open": "ended_at is null",
        "uq_product_pins_shown": "media_until is null",
    }


async def test_every_step_goes_down_and_up_again(empty_url):
    await migrate(empty_url)
    steps = [f"{number:04}" for number in range(1, int(head_revision()) + 1)]
    for revision in (*steps[::-1], "base", *steps, "base", "head"):
        await migrate(empty_url, revision)
    assert await look(empty_url, differences) == []


async def test_going_down_leaves_nothing_behind(empty_url):
    await migrate(empty_url)
    await migrate(empty_url, "base")
    assert await look(empty_url, tables) == set()


async def test_daemons_that_start_together_migrate_once(empty_url):
    await asyncio.gather(*(migrate(empty_url) for _ in range(6)))
    assert await look(empty_url, differences) == []


async def test_the_check_knows_an_outdated_schema(empty_url):
    database = open_database(empty_url, head_revision())
    try:
        with pytest.raises(StoreOutdated):
            await database.check()
        await migrate(empty_url, "0002")
        with pytest.raises(StoreOutdated):
            await database.check()
        await migrate(empty_url)
        await database.check()
    finally:
        await database.close()


async def test_a_server_that_is_not_there_is_said_without_its_password():
    url = "postgresql://golive:hush-hush@127.0.0.1:1/golive"
    for attempt in (migrate(url), open_database(url, "0").check()):
        with pytest.raises(StoreUnavailable) as caught:
            await attempt
        assert "hush-hush" not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize(
    "url", ["mysql://u:hush-hush@h/d", "sqlite://", "hush-hush", "sqlite:///:memory:"]
)
def test_a_url_of_neither_kind_is_refused_without_being_quoted(url):
    with pytest.raises(ValueError, match="database URL") as caught:
        open_database(url, "0")
    assert "hush-hush" not in str(caught.value)
