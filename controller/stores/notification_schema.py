"""The tables of notifications beside `notifications`: whom is still to be told, and on what."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    Uuid,
)

from controller.domain.notifications import PushState
from controller.stores.column_types import UtcDateTime, Word
from controller.stores.schema import metadata

_STATES = ", ".join(f"'{state}'" for state in PushState)

notification_fanouts = Table(
    "notification_fanouts",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("kind", String(32), primary_key=True),
    # How many recipients there were when the stream went live.
    Column("queued", Integer, nullable=False),
    Column("expanded", Integer, nullable=False),
    # The last recipient whose devices were looked up.
    Column("after_user_id", Uuid),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("done_at", UtcDateTime),
    Index("ix_notification_fanouts_done_at_queued_at", "done_at", "queued_at"),
)

push_deliveries = Table(
    "push_deliveries",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    Column("user_id", Uuid, ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("kind", String(32), nullable=False),
    Column("device_id", Uuid, nullable=False),
    Column("state", Word(PushState), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("not_before", UtcDateTime, nullable=False),
    # Who sends it, and until when nobody else may.
    Column("worker", String(64)),
    Column("lease_until", UtcDateTime),
    Column("reason", String(64)),
    Column("finished_at", UtcDateTime),
    CheckConstraint(f"state IN ({_STATES})", name="state_word"),
    UniqueConstraint("stream_id", "user_id", "kind", "device_id"),
    Index("ix_push_deliveries_finished_at", "finished_at"),
)
_queued = push_deliveries.c.state == "queued"
Index(
    "ix_push_deliveries_queued",
    push_deliveries.c.not_before,
    push_deliveries.c.id,
    sqlite_where=_queued,
    postgresql_where=_queued,
)
