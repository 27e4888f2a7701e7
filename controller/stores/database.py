"""A database behind one interface: bounded transactions over SQLite (WAL) or PostgreSQL."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite
from sqlalchemy import URL, Connection, event, make_url, text
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool, QueuePool

from controller.errors import StoreOutdated
from controller.stores.driver_errors import DRIVER_ERRORS, translate

_WRITE_OPTION = "golive_write"
_WAL_RETRY_S = 0.02


@dataclass(frozen=True, slots=True)
class DatabaseLimits:
    """How long anything may take, and how many connections there are."""

    connect_s: float = 5.0
    lock_s: float = 5.0
    statement_s: float = 8.0
    transaction_s: float = 12.0
    connections: int = 10


class Database:
    """Gives out transactions. Use `read()` for selects only, `write()` for everything else.

    On SQLite a write transaction takes the write lock when it begins (never half way, where
    SQLite could only fail), and the writers of this process queue in memory instead of polling
    the file's lock. On PostgreSQL writes run at READ COMMITTED: stores lock the rows that they
    decide on.
    """

    def __init__(self, engine: AsyncEngine, limits: DatabaseLimits, expected_revision: str) -> None:
        self._engine = engine
        self._limits = limits
        self._expected_revision = expected_revision
        self._failures = 0
        is_sqlite = engine.dialect.name == "sqlite"
        self._writers: asyncio.Lock | None = asyncio.Lock() if is_sqlite else None
        # Selects need no transaction of their own: on PostgreSQL this saves two round trips.
        self._reader = (
            engine if is_sqlite else engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self._writer = engine.execution_options(**{_WRITE_OPTION: True})

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    def figures(self) -> tuple[int, int, int]:
        """Connections in use, how many there may be, and transactions that failed so far."""
        pool = self._engine.pool
        in_use = pool.checkedout() if isinstance(pool, QueuePool) else 0
        return in_use, self._limits.connections, self._failures

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for selects; StoreUnavailable when the database does not answer."""
        async with self._bounded(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """A transaction, committed at the end, rolled back on any error; StoreUnavailable."""
        async with self._bounded(), self._turn(), self._writer.begin() as connection:
            yield connection

    async def check(self) -> None:
        """Raise StoreUnavailable, or StoreOutdated when the schema is another release's."""
        async with self.read() as connection:
            found = (
                await connection.execute(text("SELECT version_num FROM alembic_version"))
            ).all()
        if [row[0] for row in found] != [self._expected_revision]:
            raise StoreOutdated

    async def close(self) -> None:
        """Give all connections back; call once, when nothing uses the database any more."""
        await self._engine.dispose()

    def _turn(self) -> AbstractAsyncContextManager[None]:
        return self._writers if self._writers is not None else nullcontext()

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._limits.transaction_s):
                yield
        except DRIVER_ERRORS as error:  # TimeoutError is an OSError
            translated = translate(error)
            if translated is None:
                raise
            self._failures += 1
            raise translated from error


def open_database(
    url: str, expected_revision: str, limits: DatabaseLimits | None = None
) -> Database:
    """The database behind `sqlite:///path` or `postgresql://user:password@host/name`.

    Connects when first used. ValueError, without the URL, when it is of neither kind.
    """
    limits = limits or DatabaseLimits()
    return Database(create_engine(url, limits), limits, expected_revision)


def create_engine(url: str, limits: DatabaseLimits, *, pooled: bool = True) -> AsyncEngine:
    """An engine for `url` with its driver chosen, its timeouts set and parameters hidden."""
    target = _parse(url)
    pool: dict[str, Any] = {"poolclass": NullPool}
    if pooled:
        pool = {
            "pool_size": limits.connections,
            "max_overflow": 0,
            "pool_timeout": limits.connect_s,
            "pool_recycle": 1800,
            "pool_pre_ping": target.get_backend_name() == "postgresql",
        }
    if target.get_backend_name() == "sqlite":
        return _sqlite_engine(target, limits, pool)
    return _postgres_engine(target, limits, pool)


def _parse(url: str) -> URL:
    try:
        target = make_url(url)
    except ArgumentError:
        # The cause would show the URL, which may hold a password.
        raise ValueError("the database URL cannot be read") from None
    backend = target.get_backend_name()
    if backend == "sqlite" and target.database not in (None, "", ":memory:"):
        return target.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return target.set(drivername="postgresql+asyncpg")
    raise ValueError("the database URL must be sqlite:///path or postgresql://…")


def _sqlite_engine(url: URL, limits: DatabaseLimits, pool: dict[str, Any]) -> AsyncEngine:
    assert url.database is not None  # noqa: S101 - `_parse` refuses the in-memory database
    file = Path(url.database)
    file.parent.mkdir(parents=True, exist_ok=True)
    # Before SQLite makes it for everybody to read; its WAL takes the mode over.
    file.touch(mode=0o600)
    engine = create_async_engine(url, hide_parameters=True, **pool)

    def on_connect(dbapi_connection: Any, _record: Any) -> None:
        # The driver must not open transactions by itself: `on_begin` says which kind.
        dbapi_connection.isolation_level = None
        cursor = dbapi_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(limits.lock_s * 1000)}")
        dbapi_connection.run_async(lambda driver: _enter_wal(driver, limits.lock_s))
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.execute("PRAGMA foreign_keys = ON")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITE_OPTION):
            connection.exec_driver_sql("BEGIN IMMEDIATE")

    def on_invalidate(dbapi_connection: Any, _record: Any, _error: Any) -> None:
        # A call that was cancelled: closing alone would keep its transaction, and the write lock,
        # for as long as the statement that it was in is not collected (sqlite3_close_v2).
        dbapi_connection.rollback()

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)
    event.listen(engine.sync_engine, "invalidate", on_invalidate)
    return engine


async def _enter_wal(driver: aiosqlite.Connection, limit_s: float) -> None:
    """Switch the file to WAL, which it then keeps.

    The switch needs the file for itself, and SQLite does not wait for that, whatever
    `busy_timeout` says: of several that open a new file, all but one fail at once.
    """
    deadline_s = time.monotonic() + limit_s
    while True:
        try:
            await (await driver.execute("PRAGMA journal_mode = WAL")).close()
        except aiosqlite.OperationalError:
            if time.monotonic() > deadline_s:
                raise
            await asyncio.sleep(_WAL_RETRY_S)
        else:
            return


def _postgres_engine(url: URL, limits: DatabaseLimits, pool: dict[str, Any]) -> AsyncEngine:
    query = dict(url.query)
    if "sslmode" in query:  # libpq's word, which every provider's URL carries
        query["ssl"] = query.pop("sslmode")
    milliseconds = {
        "lock_timeout": limits.lock_s,
        "statement_timeout": limits.statement_s,
        "idle_in_transaction_session_timeout": limits.transaction_s,
    }
    settings = {name: str(int(value_s * 1000)) for name, value_s in milliseconds.items()}
    return create_async_engine(
        url.set(query=query),
        hide_parameters=True,
        connect_args={
            "timeout": limits.connect_s,
            "command_timeout": limits.statement_s,
            "server_settings": {"application_name": "golive", **settings},
        },
        **pool,
    )
