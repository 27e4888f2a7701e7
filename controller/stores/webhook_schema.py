"""The tables of webhooks, on the one schema: endpoints, the outbox, deliveries, their log."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from controller.domain.webhooks import DeliveryState
from controller.stores.column_types import UtcDateTime, Word
from controller.stores.schema import metadata

_STATES = ", ".join(f"'{state}'" for state in DeliveryState)
_COUNTED = BigInteger().with_variant(Integer, "sqlite")

webhook_endpoints = Table(
    "webhook_endpoints",
    metadata,
    Column("id", Uuid, primary_key=True),
    # Null: an administrator's, which hears of every seller.
    Column("owner_id", Uuid, ForeignKey("users.id", ondelete="CASCADE")),
    Column("url", Text, nullable=False),
    Column("events", JSON, nullable=False),
    Column("description", Text, nullable=False),
    Column("is_enabled", Boolean, nullable=False),
    Column("disabled_reason", String(32)),
    Column("secret", LargeBinary, nullable=False),
    Column("previous_secret", LargeBinary),
    Column("previous_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_webhook_endpoints_owner_id_created_at_id", "owner_id", "created_at", "id"),
)

webhook_events = Table(
    "webhook_events",
    metadata,
    # The order of a stream's events: given while its row is locked.
    Column("seq", _COUNTED, primary_key=True, autoincrement=True),
    Column("id", Uuid, nullable=False, unique=True),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    Column("type", String(64), nullable=False),
    Column("body", Text, nullable=False),
    Column("created_at", UtcDateTime, nullable=False, index=True),
)

webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column(
        "endpoint_id", Uuid, ForeignKey("webhook_endpoints.id", ondelete="CASCADE"), nullable=False
    ),
    Column(
        "event_seq",
        BigInteger().with_variant(Integer, "sqlite"),
        ForeignKey("webhook_events.seq", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("stream_id", Uuid, nullable=False),
    Column("state", Word(DeliveryState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    # Who sends it, and until when nobody else may.
    Column("worker", String(64)),
    Column("lease_until", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("finished_at", UtcDateTime),
    CheckConstraint(f"state IN ({_STATES})", name="state_word"),
    UniqueConstraint("endpoint_id", "event_seq"),
    Index("ix_webhook_deliveries_endpoint_id_created_at_id", "endpoint_id", "created_at", "id"),
)
_pending = webhook_deliveries.c.state == "pending"
Index(
    "ix_webhook_deliveries_pending",
    webhook_deliveries.c.endpoint_id,
    webhook_deliveries.c.stream_id,
    webhook_deliveries.c.event_seq,
    sqlite_where=_pending,
    postgresql_where=_pending,
)

webhook_attempts = Table(
    "webhook_attempts",
    metadata,
    Column("id", _COUNTED, primary_key=True, autoincrement=True),
    Column(
        "delivery_id",
        Uuid,
        ForeignKey("webhook_deliveries.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("at", UtcDateTime, nullable=False),
    Column("duration_ms", Integer, nullable=False),
    Column("status", Integer),
    Column("error", String(64)),
)
