"""What happens around a stream: pins, product events, viewers, notifications."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _product_tags()
    _product_events()
    _stream_viewers()
    _stream_reactions()
    _stream_geography()
    _stream_viewer_samples()
    _notifications()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("notifications")
    op.drop_table("stream_viewer_samples")
    op.drop_table("stream_geography")
    op.drop_table("stream_reactions")
    op.drop_table("stream_viewers")
    op.drop_table("product_events")
    op.drop_table("product_tags")


def _product_tags() -> None:
    op.create_table(
        "product_tags",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("x", sa.Float(), nullable=False),
        sa.Column("y", sa.Float(), nullable=False),
        sa.Column("timestamp_s", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name="fk_product_tags_product_id_products",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_product_tags_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_tags"),
    )
    op.create_index(
        "ix_product_tags_stream_id_timestamp_s",
        "product_tags",
        ["stream_id", "timestamp_s"],
        unique=False,
    )


def _product_events() -> None:
    op.create_table(
        "product_events",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("viewer_id", sa.Uuid(), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "type IN ('click', 'view', 'inquiry', 'purchase')", name="ck_product_events_type_word"
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name="fk_product_events_product_id_products",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_product_events_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["viewer_id"],
            ["users.id"],
            name="fk_product_events_viewer_id_users",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "stream_id", "viewer_id", "idempotency_key", name="pk_product_events"
        ),
    )
    op.create_index(
        "ix_product_events_stream_id_product_id",
        "product_events",
        ["stream_id", "product_id"],
        unique=False,
    )


def _stream_viewers() -> None:
    op.create_table(
        "stream_viewers",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("left_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_viewers_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_stream_viewers_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("stream_id", "user_id", name="pk_stream_viewers"),
    )
    op.create_index(
        "ix_stream_viewers_stream_id_joined_at_user_id",
        "stream_viewers",
        ["stream_id", "joined_at", "user_id"],
        unique=False,
    )


def _stream_reactions() -> None:
    op.create_table(
        "stream_reactions",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("emoji", sa.String(length=32), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_reactions_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "emoji", name="pk_stream_reactions"),
    )


def _stream_geography() -> None:
    op.create_table(
        "stream_geography",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("viewers", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_geography_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "country", name="pk_stream_geography"),
    )


def _stream_viewer_samples() -> None:
    op.create_table(
        "stream_viewer_samples",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("viewers", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_stream_viewer_samples_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "at", name="pk_stream_viewer_samples"),
    )


def _notifications() -> None:
    op.create_table(
        "notifications",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_notifications_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notifications_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("stream_id", "user_id", "kind", name="pk_notifications"),
    )
    op.create_index("ix_notifications_queued_at", "notifications", ["queued_at"], unique=False)
