"""The one schema, for SQLite and PostgreSQL; `migrations/` is how a database gets there."""

from enum import StrEnum
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from controller.domain.people import PushKind, Role
from controller.domain.products import ProductEventType
from controller.domain.recordings import RecordingState
from controller.domain.states import EndReason, IngestState, StreamStatus
from controller.domain.streams import Audience
from controller.stores.column_types import Money, UtcDateTime, Word

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _one_of(column: str, words: type[StrEnum]) -> CheckConstraint:
    listed = ", ".join(f"'{word}'" for word in words)
    return CheckConstraint(f"{column} IN ({listed})", name=f"{column}_word")


def _reference(name: str, target: str, *, primary_key: bool = False) -> Column[Any]:
    return Column(
        name, Uuid, ForeignKey(target, ondelete="CASCADE"), primary_key=primary_key, nullable=False
    )


users = Table(
    "users",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("username", Text, nullable=False, index=True),
    Column("role", Word(Role), nullable=False),
    Column("avatar_url", Text),
    Column("latitude", Float, index=True),
    Column("longitude", Float),
    # The same place as a point on the unit sphere (`controller.domain.geography`).
    Column("unit_x", Float),
    Column("unit_y", Float),
    Column("unit_z", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    _one_of("role", Role),
    CheckConstraint("(latitude IS NULL) = (longitude IS NULL)", name="position_whole"),
)

follows = Table(
    "follows",
    metadata,
    _reference("follower_id", "users.id", primary_key=True),
    _reference("host_id", "users.id", primary_key=True),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_follows_host_id_follower_id", "host_id", "follower_id"),
    CheckConstraint("follower_id <> host_id", name="not_self"),
)

push_devices = Table(
    "push_devices",
    metadata,
    _reference("user_id", "users.id", primary_key=True),
    Column("id", Uuid, primary_key=True),
    Column("kind", Word(PushKind), nullable=False),
    Column("address", Text, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    _one_of("kind", PushKind),
)

products = Table(
    "products",
    metadata,
    Column("id", Uuid, primary_key=True),
    _reference("seller_id", "users.id"),
    Column("title", Text, nullable=False),
    Column("price", Money, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("image_urls", JSON, nullable=False),
    Column("is_available", Boolean, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    # A deleted product leaves the directory and stays readable in past streams.
    Column("deleted_at", UtcDateTime),
    CheckConstraint("price >= 0", name="price_positive"),
    Index("ix_products_seller_id_created_at_id", "seller_id", "created_at", "id"),
)

streams = Table(
    "streams",
    metadata,
    Column("id", Uuid, primary_key=True),
    _reference("owner_id", "users.id"),
    Column("title", Text, nullable=False),
    Column("description", Text),
    Column("category", Text, nullable=False),
    Column("status", Word(StreamStatus), nullable=False),
    Column("ingest_state", Word(IngestState), nullable=False),
    Column("ingest_state_since", UtcDateTime, nullable=False),
    Column("stream_type", String(32), nullable=False),
    Column("thumbnail_url", Text),
    Column("audience", Word(Audience), nullable=False),
    Column("estimated_duration_min", Integer, nullable=False),
    Column("notify_followers", Boolean, nullable=False),
    Column("notify_neighborhood", Boolean, nullable=False),
    Column("enable_chat", Boolean, nullable=False),
    Column("enable_comments", Boolean, nullable=False),
    Column("record_stream", Boolean, nullable=False),
    Column("scheduled_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    Column("started_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("end_reason", Word(EndReason)),
    Column("duration_s", Integer),
    Column("vod_url", Text),
    Column("mp4_url", Text),
    Column("poster_url", Text),
    Column("storyboard_url", Text),
    Column("viewers_now", Integer, nullable=False, server_default="0"),
    Column("total_views", BigInteger, nullable=False, server_default="0"),
    Column("peak_viewers", Integer, nullable=False, server_default="0"),
    Column("unique_viewers", Integer, nullable=False, server_default="0"),
    Column("total_likes", BigInteger, nullable=False, server_default="0"),
    Column("chat_messages", BigInteger, nullable=False, server_default="0"),
    Column("average_watch_time_s", Float, nullable=False, server_default="0"),
    _one_of("status", StreamStatus),
    _one_of("ingest_state", IngestState),
    _one_of("audience", Audience),
    CheckConstraint("(status IN ('live', 'ended')) = (started_at IS NOT NULL)", name="started"),
    CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="ended"),
    Index("ix_streams_created_at_id", "created_at", "id"),
    Index("ix_streams_status_created_at_id", "status", "created_at", "id"),
    Index("ix_streams_owner_id_created_at_id", "owner_id", "created_at", "id"),
)

status_changes = Table(
    "status_changes",
    metadata,
    Column(
        "id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    ),
    _reference("stream_id", "streams.id"),
    Column("from_status", Word(StreamStatus)),
    Column("to_status", Word(StreamStatus), nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("reason", Text),
    Index("ix_status_changes_stream_id_id", "stream_id", "id"),
    # A status is entered once: the last line of defence against a lost compare-and-set.
    UniqueConstraint("stream_id", "to_status"),
)

stream_products = Table(
    "stream_products",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    _reference("product_id", "products.id", primary_key=True),
    Column("position", Integer, nullable=False),
    Column("attached_at", UtcDateTime, nullable=False),
    Index("ix_stream_products_product_id", "product_id"),
)

stream_keys = Table(
    "stream_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    _reference("stream_id", "streams.id"),
    Column("lookup_hash", String(64), nullable=False, unique=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),
)
Index(
    "uq_stream_keys_active",
    stream_keys.c.stream_id,
    unique=True,
    sqlite_where=stream_keys.c.revoked_at.is_(None),
    postgresql_where=stream_keys.c.revoked_at.is_(None),
)

publications = Table(
    "publications",
    metadata,
    Column("id", Uuid, primary_key=True),
    _reference("stream_id", "streams.id"),
    Column("internal_name", String(128), nullable=False, unique=True),
    Column("nginx_instance", Text, nullable=False),
    Column("nginx_client_id", Text, nullable=False),
    Column("client_address", Text, nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Column("end_reason", Text),
)
Index(
    "uq_publications_open",
    publications.c.stream_id,
    unique=True,
    sqlite_where=publications.c.ended_at.is_(None),
    postgresql_where=publications.c.ended_at.is_(None),
)

recordings = Table(
    "recordings",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    Column("state", Word(RecordingState), nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("keep_days", Integer),
    Column("finished_at", UtcDateTime),
    Column("save_until", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    Index("ix_recordings_state_finished_at", "state", "finished_at"),
)

product_tags = Table(
    "product_tags",
    metadata,
    Column("id", Uuid, primary_key=True),
    _reference("stream_id", "streams.id"),
    _reference("product_id", "products.id"),
    Column("x", Float, nullable=False),
    Column("y", Float, nullable=False),
    Column("timestamp_s", Integer, nullable=False),
    # The moment of the media: as PROGRAM-DATE-TIME has it, and in seconds of the recording.
    Column("media_at", UtcDateTime),
    Column("stream_time_s", Float),
    Column("created_at", UtcDateTime, nullable=False),
    Index("ix_product_tags_stream_id_timestamp_s", "stream_id", "timestamp_s"),
)

product_events = Table(
    "product_events",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    # A user's, or made of a guest's name.
    Column("viewer_id", Uuid, primary_key=True),
    Column("idempotency_key", String(255), primary_key=True),
    _reference("product_id", "products.id"),
    Column("type", Word(ProductEventType), nullable=False),
    Column("quantity", Integer, nullable=False),
    # What the product cost when it was bought: a later change does not rewrite history.
    Column("unit_price", Money, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    _one_of("type", ProductEventType),
    Index("ix_product_events_stream_id_product_id", "stream_id", "product_id"),
)

stream_viewers = Table(
    "stream_viewers",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    _reference("user_id", "users.id", primary_key=True),
    Column("joined_at", UtcDateTime, nullable=False),
    Column("left_at", UtcDateTime),
    Index("ix_stream_viewers_stream_id_joined_at_user_id", "stream_id", "joined_at", "user_id"),
)

stream_reactions = Table(
    "stream_reactions",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    Column("emoji", String(32), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

stream_viewer_samples = Table(
    "stream_viewer_samples",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    Column("at", UtcDateTime, primary_key=True),
    Column("viewers", Integer, nullable=False),
)

notifications = Table(
    "notifications",
    metadata,
    _reference("stream_id", "streams.id", primary_key=True),
    _reference("user_id", "users.id", primary_key=True),
    Column("kind", String(32), primary_key=True),
    Column("queued_at", UtcDateTime, nullable=False),
    Column("delivered_at", UtcDateTime),
    Index("ix_notifications_queued_at", "queued_at"),
)

idempotent_calls = Table(
    "idempotent_calls",
    metadata,
    _reference("user_id", "users.id", primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("answer", JSON, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)
