"""The room's tables, on the one schema."""

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    Uuid,
)

from controller.domain.room import ModerationKind
from controller.stores.column_types import UtcDateTime, Word
from controller.stores.schema import metadata

chat_messages = Table(
    "chat_messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    # No reference: a message stays what it was when its author is gone.
    Column("user_id", Uuid, nullable=False),
    Column("username", Text, nullable=False),
    Column("avatar_url", Text),
    Column("text", Text, nullable=False),
    Column("sent_at", UtcDateTime, nullable=False),
    Column("stream_time_s", Float),
    Column("is_held", Boolean, nullable=False),
    Column("deleted_at", UtcDateTime),
    Index("ix_chat_messages_stream_id_sent_at_id", "stream_id", "sent_at", "id"),
)

room_visits = Table(
    "room_visits",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("viewer", String(64), primary_key=True),
    Column("first_joined_at", UtcDateTime, nullable=False),
    Column("last_left_at", UtcDateTime),
    Column("country", String(2)),
)

room_rules = Table(
    "room_rules",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("slow_mode_s", Integer, nullable=False),
    Column("pinned_message_id", Uuid),
    Column("blocked_words", JSON, nullable=False),
)

room_moderators = Table(
    "room_moderators",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("user_id", Uuid, primary_key=True),
)

room_sanctions = Table(
    "room_sanctions",
    metadata,
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), primary_key=True),
    Column("viewer", String(64), primary_key=True),
    # Null: a ban, for good.
    Column("until", UtcDateTime),
)

room_moderations = Table(
    "room_moderations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("stream_id", Uuid, ForeignKey("streams.id", ondelete="CASCADE"), nullable=False),
    Column("actor_id", Uuid, nullable=False),
    Column("kind", Word(ModerationKind), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("message_id", Uuid),
    Column("viewer", String(64)),
    Column("user_id", Uuid),
    Column("until", UtcDateTime),
    Column("interval_s", Integer, nullable=False),
    Column("words", JSON, nullable=False),
    Column("reason", Text, nullable=False),
    Index("ix_room_moderations_stream_id_at_id", "stream_id", "at", "id"),
)
