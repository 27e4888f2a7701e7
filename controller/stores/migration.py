"""Brings a database to a schema revision, up or down; safe when two daemons start at once."""

import asyncio
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from controller.stores.database import DatabaseLimits, create_engine
from controller.stores.driver_errors import DRIVER_ERRORS, translate

_MIGRATIONS = Path(__file__).parent / "migrations"
# A name for PostgreSQL's advisory lock; any constant that nobody else uses will do.
_ADVISORY_LOCK = 0x60_11_FE
_LIMITS = DatabaseLimits(lock_s=60.0, statement_s=3600.0, transaction_s=3600.0)


def newest_script() -> str | None:
    """The revision that Alembic finds at the end of the migrations."""
    return ScriptDirectory.from_config(_config()).get_current_head()


async def migrate(url: str, revision: str = "head") -> None:
    """Run the migrations up to `revision`, or down to it (`base`: an empty database).

    All in one transaction: a failed migration leaves the database as it was. StoreUnavailable.
    """
    engine = create_engine(url, _LIMITS, pooled=False).execution_options(golive_write=True)
    try:
        async with asyncio.timeout(_LIMITS.transaction_s), engine.begin() as connection:
            await connection.run_sync(_run, revision)
    except DRIVER_ERRORS as error:
        translated = translate(error)
        if translated is None or isinstance(error, DBAPIError):
            raise
        raise translated from error
    finally:
        await engine.dispose()


def _run(connection: Connection, revision: str) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:name)"), {"name": _ADVISORY_LOCK})
    config = _config()
    config.attributes["connection"] = connection
    if _is_downgrade(config, connection, revision):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


def _is_downgrade(config: Config, connection: Connection, revision: str) -> bool:
    if revision == "base":
        return True
    if revision == "head" or not connection.dialect.has_table(connection, "alembic_version"):
        return False
    current = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if current is None:
        return False
    below = ScriptDirectory.from_config(config).iterate_revisions(current, "base")
    return revision in {script.revision for script in below}


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config
