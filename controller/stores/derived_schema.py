"""The tables of what is derived from recordings, on the one schema."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Table,
    Text,
    Uuid,
)

from controller.stores.column_types import UtcDateTime
from controller.stores.schema import metadata


def _stream(*, primary_key: bool = False) -> Column[object]:
    of_stream = ForeignKey("streams.id", ondelete="CASCADE")
    return Column("stream_id", Uuid, of_stream, nullable=False, primary_key=primary_key)


# Jobs are not referred to by a key: they are forgotten sooner.
stream_derivations = Table(
    "stream_derivations",
    metadata,
    _stream(primary_key=True),
    Column("job_id", Uuid, nullable=False),
    Column("outcome", JSON(none_as_null=True)),
    Column("updated_at", UtcDateTime, nullable=False),
)

clips = Table(
    "clips",
    metadata,
    Column("id", Uuid, primary_key=True),
    _stream(),
    Column("job_id", Uuid),
    Column("title", Text, nullable=False),
    Column("start_s", Float, nullable=False),
    Column("end_s", Float, nullable=False),
    Column("exact", Boolean, nullable=False),
    Column("made", JSON(none_as_null=True)),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_clips_stream_id_created_at_id", "stream_id", "created_at", "id"),
)
