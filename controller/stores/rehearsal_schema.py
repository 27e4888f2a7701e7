"""The table of rehearsals, on the one schema."""

from sqlalchemy import Column, ForeignKey, Index, String, Table, Text, Uuid

from controller.domain.states import IngestState
from controller.stores.column_types import UtcDateTime, Word
from controller.stores.schema import metadata

rehearsals = Table(
    "rehearsals",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),
    # Null while it runs; it may be over all the same.
    Column("ended_at", UtcDateTime),
    Column("ingest_state", Word(IngestState), nullable=False),
    Column("ingest_state_since", UtcDateTime, nullable=False),
    # The encoder that is there; all null without one. Nothing is kept of those before.
    Column("publication_id", Uuid, unique=True),
    Column("internal_name", String(128), unique=True),
    Column("nginx_client_id", Text),
    Column("client_address", Text),
    Column("published_at", UtcDateTime),
    Index("ix_rehearsals_stream_id", "stream_id"),
)
Index(
    "uq_rehearsals_running",
    rehearsals.c.stream_id,
    unique=True,
    sqlite_where=rehearsals.c.ended_at.is_(None),
    postgresql_where=rehearsals.c.ended_at.is_(None),
)
