"""Statements that several stores share."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Table, Uuid, literal, select, tuple_
from sqlalchemy.dialects.postgresql import Insert as PostgresInsert
from sqlalchemy.dialects.postgresql import insert as postgres_insert
from sqlalchemy.dialects.sqlite import Insert as SqliteInsert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.ext.asyncio import AsyncConnection

from controller.domain.paging import Cursor
from controller.errors import StreamNotFound
from controller.stores.column_types import UtcDateTime
from controller.stores.schema import streams


def insert_into(connection: AsyncConnection, table: Table) -> SqliteInsert | PostgresInsert:
    """An insert that knows ON CONFLICT, which both databases spell alike."""
    if connection.dialect.name == "sqlite":
        return sqlite_insert(table)
    return postgres_insert(table)


async def lock_stream(connection: AsyncConnection, stream_id: UUID) -> Row[Any]:
    """The stream's row, nobody else's to change until the transaction ends; StreamNotFound.

    On SQLite the write transaction itself is the lock. Whatever a transaction decides on,
    products and keys included, it reads after this.
    """
    query = select(streams).where(streams.c.id == stream_id).with_for_update()
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise StreamNotFound
    return row


def before(
    at: ColumnElement[datetime], row_id: ColumnElement[UUID], cursor: Cursor
) -> ColumnElement[bool]:
    """True for the rows that follow the cursor's in newest-first order."""
    return tuple_(at, row_id) < tuple_(
        literal(cursor.at, UtcDateTime()), literal(cursor.id, Uuid())
    )
