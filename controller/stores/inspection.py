"""What `golive check` asks of a database: is it there, of which release, whose clock, writable."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.errors import StoreUnavailable
from controller.stores.database import DatabaseLimits, create_engine
from controller.stores.driver_errors import DRIVER_ERRORS, translate
from controller.stores.revision import head_revision

_LIMITS = DatabaseLimits(
    connect_s=4.0, lock_s=2.0, statement_s=4.0, transaction_s=8.0, connections=1
)


@dataclass(frozen=True, slots=True)
class DatabaseFacts:
    """revision: of the schema that was found; empty in a database without one.
    time_s: the server's clock; None where there is no server."""

    dialect: str
    revision: str
    expected_revision: str
    is_writable: bool
    time_s: float | None


async def inspect_database(url: str) -> DatabaseFacts:
    """Look at the database behind `url`, and leave it as it is.

    Raises StoreUnavailable, and ValueError for a URL of no kind that is known. A SQLite file that
    is not there yet is not made.
    """
    if url.startswith("sqlite:"):
        file = Path(make_url(url).database or "")
        if not await asyncio.to_thread(file.exists):
            return DatabaseFacts("sqlite", "", head_revision(), is_writable=True, time_s=None)
    engine = create_engine(url, _LIMITS, pooled=False)
    try:
        async with asyncio.timeout(_LIMITS.transaction_s), engine.connect() as connection:
            return await _look(connection)
    except DRIVER_ERRORS as error:
        raise (translate(error) or StoreUnavailable()) from error
    finally:
        await engine.dispose()


async def _look(connection: AsyncConnection) -> DatabaseFacts:
    is_postgres = connection.dialect.name == "postgresql"
    asked_s = time.time()
    clock = text("SELECT extract(epoch FROM clock_timestamp()), pg_is_in_recovery()")
    row = (await connection.execute(clock)).one() if is_postgres else None
    # Half of the way is the answer's.
    time_s = float(row[0]) + (time.time() - asked_s) / 2 if row else None
    read_only = text("SHOW default_transaction_read_only" if is_postgres else "PRAGMA query_only")
    is_read_only = str((await connection.execute(read_only)).scalar()) in {"on", "1"}
    tables = await connection.run_sync(lambda sync: sync.dialect.has_table(sync, "alembic_version"))
    revisions = text("SELECT version_num FROM alembic_version")
    found = (await connection.execute(revisions)).scalars().all() if tables else []
    return DatabaseFacts(
        dialect=connection.dialect.name,
        revision=", ".join(found),
        expected_revision=head_revision(),
        is_writable=not is_read_only and not (row and row[1]),
        time_s=time_s,
    )
