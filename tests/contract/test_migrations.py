"""The schema arrives in steps, on both databases, up and down, and is the one in the code."""

import asyncio
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from controller import stores
from controller.domain.analytics import WatchFigures
from controller.errors import StoreOutdated, StoreUnavailable
from controller.stores.column_types import UtcDateTime
from controller.stores.database import DatabaseLimits, create_engine, open_database
from controller.stores.migration import migrate
from controller.stores.opening import open_stores
from controller.stores.revision import head_revision
from controller.stores.schema import metadata
from controller.system_clock import SystemClock

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
        for table in ("stream_keys", "publications", "product_pins", "rehearsals"):
            for index in inspect(connection).get_indexes(table):
                for option, value in index.get("dialect_options", {}).items():
                    if option.endswith("_where"):
                        found[index["name"]] = str(value).lower().strip("()")
        return found

    assert await look(empty_url, conditions) == {
        "uq_stream_keys_active": "revoked_at is null",
        "uq_publications_open": "ended_at is null",
        "uq_product_pins_shown": "media_until is null",
        "uq_rehearsals_running": "ended_at is null",
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


async def test_people_who_have_said_where_they_are_are_placed_on_the_globe(empty_url):
    await migrate(empty_url, "0007")
    engine = create_engine(empty_url, DatabaseLimits(), pooled=False)
    somebody = (
        "INSERT INTO users (id, username, role, latitude, longitude, created_at, updated_at) VALUES"
        " ('{id}', 'somebody', 'buyer', {place}, '2026-01-01 00:00:00', '2026-01-01 00:00:00')"
    )
    try:
        async with engine.begin() as connection:
            for number, place in enumerate(("90, 20", "0, -180", "NULL, NULL")):
                user_id = UUID(int=number)
                shown = str(user_id) if "postgresql" in empty_url else user_id.hex
                await connection.execute(text(somebody.format(id=shown, place=place)))
    finally:
        await engine.dispose()
    await migrate(empty_url)

    def points(connection):
        rows = connection.execute(text("SELECT unit_x, unit_y, unit_z FROM users ORDER BY id"))
        return [tuple(row) for row in rows]

    assert await look(empty_url, points) == [
        (pytest.approx(0, abs=1e-15), pytest.approx(0, abs=1e-15), 1.0),
        (-1.0, pytest.approx(0, abs=1e-15), 0.0),
        (None, None, None),
    ]


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


async def test_what_viewers_have_watched_of_a_stream_on_air_is_taken_over(empty_url):
    await migrate(empty_url, "0009")
    now = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    host, stream = uuid4(), uuid4()
    visits = sa.table(
        "room_visits",
        sa.column("stream_id", sa.Uuid),
        sa.column("viewer", sa.String),
        sa.column("first_joined_at", UtcDateTime),
        sa.column("watched_s", sa.Float),
    )
    engine = create_engine(empty_url, DatabaseLimits(), pooled=False)
    async with engine.begin() as connection:
        await connection.execute(
            sa.insert(metadata.tables["users"]).values(
                id=host, username="host", role="both", created_at=now, updated_at=now
            )
        )
        await connection.execute(
            sa.insert(metadata.tables["streams"]).values(
                id=stream, owner_id=host, title="t", category="c", status="live",
                ingest_state="connected", ingest_state_since=now, stream_type="live",
                audience="everyone", estimated_duration_min=30, notify_followers=True,
                notify_neighborhood=False, enable_chat=True, enable_comments=True,
                record_stream=True, created_at=now, updated_at=now, started_at=now,
                unique_viewers=2,
            )
        )  # fmt: skip
        await connection.execute(
            sa.insert(visits),
            [
                {"stream_id": stream, "viewer": viewer, "first_joined_at": at, "watched_s": watched}
                for viewer, at, watched in (
                    ("early", now - timedelta(seconds=60), 30.5),
                    ("late", now + timedelta(seconds=10), 4.0),
                )
            ],
        )
    await engine.dispose()
    await migrate(empty_url)
    stores = open_stores(empty_url, SystemClock())
    try:
        found = await stores.engagement.figures(stream)
    finally:
        await stores.database.close()
    assert found.watched == WatchFigures(peak_viewers=2, watched_s=34.5)
