"""Transactions: bounded, translated, and never half done."""

import asyncio
import gc
import random
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from controller.errors import StoreOutdated, StoreUnavailable
from controller.stores.column_types import Money, UtcDateTime
from controller.stores.database import DatabaseLimits, open_database
from controller.stores.driver_errors import translate
from controller.stores.migration import migrate
from controller.stores.opening import database_url
from controller.stores.schema import stream_reactions, users

LIMITS = DatabaseLimits(
    connect_s=1.0, lock_s=0.2, statement_s=1.0, transaction_s=2.0, connections=2
)


@pytest.fixture
async def url(tmp_path):
    url = f"sqlite:///{tmp_path}/x.db"
    await migrate(url)
    return url


@pytest.fixture
async def database(url):
    opened = open_database(url, "0", LIMITS)
    yield opened
    await opened.close()


async def test_sqlite_runs_with_wal_and_foreign_keys(database):
    async with database.read() as connection:
        for pragma, value in (("journal_mode", "wal"), ("foreign_keys", 1), ("busy_timeout", 200)):
            found = (await connection.execute(text(f"PRAGMA {pragma}"))).scalar()
            assert found == value, pragma


async def test_the_file_is_its_owners_alone(url):
    mode = Path(url.removeprefix("sqlite:///")).stat().st_mode
    assert mode & 0o077 == 0


async def test_an_error_rolls_everything_back(database):
    async def write():
        async with database.write() as connection:
            await connection.execute(insert(users), [user()])
            orphan = {"stream_id": user()["id"], "emoji": "x", "count": 1}
            await connection.execute(insert(stream_reactions), [orphan])

    with pytest.raises(IntegrityError):
        await write()
    async with database.read() as connection:
        assert (await connection.execute(select(users))).all() == []


async def test_a_lock_of_another_process_is_waited_for_and_then_told(database, url):
    other = open_database(url, "0", LIMITS)
    try:
        async with other.write() as connection:
            await connection.execute(insert(users), [user()])
            with pytest.raises(StoreUnavailable):
                async with database.write():
                    pytest.fail("two writers at once")
            async with database.read() as reading:
                assert (await reading.execute(select(users))).all() == []
        async with database.write() as connection:
            assert len((await connection.execute(select(users))).all()) == 1
    finally:
        await other.close()


async def test_writers_of_one_process_wait_in_turn(database):
    running = 0

    async def write():
        nonlocal running
        async with database.write() as connection:
            running += 1
            assert running == 1
            await connection.execute(text("SELECT 1"))
            running -= 1

    await asyncio.gather(*(write() for _ in range(20)))


async def test_a_transaction_that_hangs_is_ended(database):
    with pytest.raises(StoreUnavailable):
        async with database.write():
            await asyncio.Event().wait()
    async with database.write() as connection:
        assert (await connection.execute(text("SELECT 1"))).scalar() == 1


async def test_an_empty_pool_is_told_in_time(database):
    async with database.read(), database.read():
        with pytest.raises(StoreUnavailable):
            async with database.read():
                pytest.fail("there were two connections")


async def test_a_missing_table_means_an_outdated_schema(tmp_path):
    empty = open_database(f"sqlite:///{tmp_path}/empty.db", "0", LIMITS)
    try:
        with pytest.raises(StoreOutdated):
            async with empty.read() as connection:
                await connection.execute(select(users))
    finally:
        await empty.close()


async def test_no_parameter_is_in_an_error(database):
    async def write():
        async with database.write() as connection:
            row = {**user(), "username": None, "avatar_url": "hush-hush"}
            await connection.execute(insert(users), [row])

    with pytest.raises(DBAPIError) as caught:
        await write()
    assert "hush-hush" not in str(caught.value)


def wrapped(kind, cause):
    return kind("SELECT 1", {}, cause)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ConnectionRefusedError(), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
        (PoolTimeoutError(), StoreUnavailable),
        (asyncpg.CannotConnectNowError(), StoreUnavailable),
        (asyncpg.InvalidPasswordError(), StoreUnavailable),
        (asyncpg.InvalidCatalogNameError(), StoreUnavailable),
        (asyncpg.InterfaceError("closed"), StoreUnavailable),
        (wrapped(DBAPIError, asyncpg.DeadlockDetectedError()), StoreUnavailable),
        (wrapped(DBAPIError, asyncpg.LockNotAvailableError()), StoreUnavailable),
        (wrapped(DBAPIError, asyncpg.QueryCanceledError()), StoreUnavailable),
        (wrapped(DBAPIError, asyncpg.DiskFullError()), StoreUnavailable),
        (wrapped(DBAPIError, asyncpg.UndefinedTableError()), StoreOutdated),
        (wrapped(DBAPIError, asyncpg.UndefinedColumnError()), StoreOutdated),
        (wrapped(OperationalError, Exception("database is locked")), StoreUnavailable),
        (wrapped(OperationalError, Exception("disk I/O error")), StoreUnavailable),
        (wrapped(OperationalError, Exception("no such column: x")), StoreOutdated),
        (wrapped(DBAPIError, asyncpg.UniqueViolationError()), None),
        (wrapped(DBAPIError, asyncpg.NumericValueOutOfRangeError()), None),
        (wrapped(IntegrityError, Exception("UNIQUE constraint failed")), None),
    ],
    ids=lambda value: type(getattr(value, "orig", value)).__name__,
)
def test_what_drivers_raise_is_told_in_our_words(error, expected):
    translated = translate(error)
    assert (type(translated) if translated else None) is expected


def test_a_time_without_offset_and_a_fifth_decimal_are_defects():
    with pytest.raises(ValueError, match="offset"):
        UtcDateTime().process_bind_param(datetime.now(UTC).replace(tzinfo=None), None)
    with pytest.raises(ValueError, match="four"):
        Money().process_bind_param(Decimal("0.00001"), None)


def test_the_embedded_database_lies_in_the_data_folder(tmp_path):
    assert database_url("", tmp_path) == f"sqlite:///{tmp_path}/golive.db"
    assert database_url("postgresql://h/d", tmp_path) == "postgresql://h/d"


def user():
    now = datetime.now(UTC)
    return {
        "id": UUID("0f8fad5b-d9cb-469f-a165-70867728950e"),
        "username": "alice",
        "role": "buyer",
        "created_at": now,
        "updated_at": now,
    }


async def test_a_write_that_is_cancelled_lets_go_of_the_lock(tmp_path):
    """Whatever it was doing; nobody else would write until it is collected."""
    database = open_database(f"sqlite:///{tmp_path}/golive.db", "", DatabaseLimits(lock_s=0.5))
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE counted (times INTEGER)"))
        await connection.execute(text("INSERT INTO counted VALUES (0)"))

    async def count() -> None:
        async with database.write() as connection:
            counting = text("UPDATE counted SET times = times + 1 RETURNING times")
            (await connection.execute(counting)).one()

    dice = random.Random(3)
    gc.disable()
    try:
        for _ in range(150):
            cancelled = asyncio.create_task(count())
            await asyncio.sleep(dice.random() * 0.003)
            cancelled.cancel()
            await asyncio.wait({cancelled})
            await count()
    finally:
        gc.enable()
        await database.close()
