"""Who watched when and how it went: what the figures about viewers are computed from."""

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, String, Table, Uuid

from controller.stores.schema import metadata

HOLDER_CHARACTERS = 32

viewer_spans = Table(
    "viewer_spans",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    # The daemon run that has seen the viewer, and its own number for this stay.
    Column("holder", String(HOLDER_CHARACTERS), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("viewer", String(64), nullable=False),
    Column("since_ms", BigInteger, nullable=False),
    # Null: until the holder was last heard of.
    Column("until_ms", BigInteger),
    Index("ix_viewer_spans_stream_id_viewer_since_ms", "stream_id", "viewer", "since_ms"),
)

span_holders = Table(
    "span_holders",
    metadata,
    Column("holder", String(HOLDER_CHARACTERS), primary_key=True),
    Column("seen_ms", BigInteger, nullable=False),
)

room_batches = Table(
    "room_batches",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("holder", String(HOLDER_CHARACTERS), primary_key=True),
    Column("number", Integer, nullable=False),
)

playback_sessions = Table(
    "playback_sessions",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("session", String(32), primary_key=True),
    Column("holder", String(HOLDER_CHARACTERS), primary_key=True),
    Column("startup_ms", BigInteger),
    Column("rebuffers", Integer, nullable=False),
    Column("rebuffered_ms", BigInteger),
    Column("shown_ms", BigInteger, nullable=False),
    Column("bits", BigInteger, nullable=False),
)
