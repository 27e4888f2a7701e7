"""The tables of what was shown and felt when, on the one schema."""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, String, Table, Uuid

from controller.stores.column_types import UtcDateTime
from controller.stores.schema import metadata

product_pins = Table(
    "product_pins",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    Column("product_id", Uuid, ForeignKey("products.id", ondelete="CASCADE"), nullable=False),
    Column("timestamp_s", Integer, nullable=False),
    Column("media_at", UtcDateTime, nullable=False),
    Column("stream_time_s", Float),
    # Null while it is shown.
    Column("media_until", UtcDateTime),
    Column("stream_until_s", Float),
    Column("changed_at", UtcDateTime, nullable=False),
    Index("ix_product_pins_stream_id_media_at", "stream_id", "media_at"),
)
Index(
    "uq_product_pins_shown",
    product_pins.c.stream_id,
    unique=True,
    sqlite_where=product_pins.c.media_until.is_(None),
    postgresql_where=product_pins.c.media_until.is_(None),
)

reaction_moments = Table(
    "reaction_moments",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    # Where a stretch of seconds of the recording begins.
    Column("at_s", Integer, primary_key=True),
    Column("emoji", String(32), primary_key=True),
    Column("count", Integer, nullable=False),
)
