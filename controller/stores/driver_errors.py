"""What the databases' drivers raise, told in our words: the driver's names stay behind this door.

Engines hide the parameters of statements, so no key or token can be in the cause that is kept.
"""

from asyncpg.exceptions import (  # type: ignore[import-untyped]
    InterfaceError as AsyncpgInterfaceError,
)
from asyncpg.exceptions import PostgresError
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from controller.errors import StoreOutdated, StoreUnavailable

# Everything that may come out of a connection attempt, a statement or a commit.
DRIVER_ERRORS = (DBAPIError, PoolTimeoutError, PostgresError, AsyncpgInterfaceError, OSError)

_UNDEFINED = frozenset({"42P01", "42703"})  # table, column
# Connection exception, serialization failure or deadlock, resources, prerequisites (locks, a
# closed database), operator intervention,
# (statement timeout among them), system error, authorization, no such database.
_PASSING_CLASSES = ("08", "40", "53", "55", "57", "58", "28", "3D")
_SQLITE_UNDEFINED = ("no such table", "no such column", "has no column named")


def translate(error: BaseException) -> StoreUnavailable | None:
    """The error to raise instead, or None when it is a defect of ours and must surface."""
    state = _sqlstate(error)
    message = str(error.orig) if isinstance(error, OperationalError) else ""
    if state in _UNDEFINED or any(word in message for word in _SQLITE_UNDEFINED):
        return StoreOutdated()
    if state is not None and not isinstance(error, InterfaceError):
        return StoreUnavailable() if state.startswith(_PASSING_CLASSES) else None
    return StoreUnavailable() if _is_outage(error) else None


def _is_outage(error: BaseException) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    return isinstance(
        error,
        (PoolTimeoutError, OSError, AsyncpgInterfaceError, InterfaceError, OperationalError),
    )


def _sqlstate(error: BaseException) -> str | None:
    carrier = error.orig if isinstance(error, DBAPIError) else error
    state = getattr(carrier, "sqlstate", None)
    return state if isinstance(state, str) else None
