"""Streams with their keys, products, publications and history."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _streams()
    _status_changes()
    _stream_products()
    _stream_keys()
    _publications()
    _idempotent_calls()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("idempotent_calls")
    op.drop_table("publications")
    op.drop_table("stream_keys")
    op.drop_table("stream_products")
    op.drop_table("status_changes")
    op.drop_table("streams")


def _streams() -> None:
    op.create_table(
        "streams",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=32), nullable=False),
        sa.Column("ingest_state", sa.String(length=32), nullable=False),
        sa.Column("ingest_state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_type", sa.String(length=32), nullable=False),
        sa.Column("thumbnail_url", sa.Text(), nullable=True),
        sa.Column("audience", sa.String(length=32), nullable=False),
        sa.Column("estimated_duration_min", sa.Integer(), nullable=False),
        sa.Column("notify_followers", sa.Boolean(), nullable=False),
        sa.Column("notify_neighborhood", sa.Boolean(), nullable=False),
        sa.Column("enable_chat", sa.Boolean(), nullable=False),
        sa.Column("enable_comments", sa.Boolean(), nullable=False),
        sa.Column("record_stream", sa.Boolean(), nullable=False),
        sa.Column("scheduled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.String(length=32), nullable=True),
        sa.Column("duration_s", sa.Integer(), nullable=True),
        sa.Column("vod_url", sa.Text(), nullable=True),
        sa.Column("viewers_now", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_views", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("peak_viewers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("unique_viewers", sa.Integer(), server_default="0", nullable=False),
        sa.Column("total_likes", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("chat_messages", sa.BigInteger(), server_default="0", nullable=False),
        sa.Column("average_watch_time_s", sa.Float(), server_default="0", nullable=False),
        sa.CheckConstraint("(status = 'ended') = (ended_at IS NOT NULL)", name="ck_streams_ended"),
        sa.CheckConstraint(
            "(status IN ('live', 'ended')) = (started_at IS NOT NULL)", name="ck_streams_started"
        ),
        sa.CheckConstraint(
            "audience IN ('everyone', 'followers', 'neighborhood')", name="ck_streams_audience_word"
        ),
        sa.CheckConstraint(
            "ingest_state IN ('idle', 'connected', 'interrupted', 'finished')",
            name="ck_streams_ingest_state_word",
        ),
        sa.CheckConstraint(
            "status IN ('scheduled', 'live', 'ended', 'cancelled')", name="ck_streams_status_word"
        ),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["users.id"], name="fk_streams_owner_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_streams"),
    )
    op.create_index("ix_streams_created_at_id", "streams", ["created_at", "id"], unique=False)
    op.create_index(
        "ix_streams_owner_id_created_at_id",
        "streams",
        ["owner_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_streams_status_created_at_id", "streams", ["status", "created_at", "id"], unique=False
    )


def _status_changes() -> None:
    op.create_table(
        "status_changes",
        sa.Column(
            "id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("from_status", sa.String(length=32), nullable=True),
        sa.Column("to_status", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_status_changes_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_status_changes"),
        sa.UniqueConstraint("stream_id", "to_status", name="uq_status_changes_stream_id_to_status"),
    )
    op.create_index(
        "ix_status_changes_stream_id_id", "status_changes", ["stream_id", "id"], unique=False
    )


def _stream_products() -> None:
    op.create_table(
        "stream_products",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("attached_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name="fk_stream_products_product_id_products",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_products_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "product_id", name="pk_stream_products"),
    )
    op.create_index(
        "ix_stream_products_product_id", "stream_products", ["product_id"], unique=False
    )


def _stream_keys() -> None:
    op.create_table(
        "stream_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("lookup_hash", sa.String(length=64), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_keys_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_stream_keys"),
        sa.UniqueConstraint("lookup_hash", name="uq_stream_keys_lookup_hash"),
    )
    op.create_index(
        "uq_stream_keys_active",
        "stream_keys",
        ["stream_id"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )


def _publications() -> None:
    op.create_table(
        "publications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("internal_name", sa.String(length=128), nullable=False),
        sa.Column("nginx_instance", sa.Text(), nullable=False),
        sa.Column("nginx_client_id", sa.Text(), nullable=False),
        sa.Column("client_address", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_reason", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_publications_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_publications"),
        sa.UniqueConstraint("internal_name", name="uq_publications_internal_name"),
    )
    op.create_index(
        "uq_publications_open",
        "publications",
        ["stream_id"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )


def _idempotent_calls() -> None:
    op.create_table(
        "idempotent_calls",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_idempotent_calls_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "key", name="pk_idempotent_calls"),
    )
