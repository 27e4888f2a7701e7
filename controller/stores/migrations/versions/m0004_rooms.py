"""The room: chat, visits, rules, and what moderators did."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _chat_messages()
    _room_visits()
    _room_rules()
    _room_moderators()
    _room_sanctions()
    _room_moderations()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("room_moderations")
    op.drop_table("room_sanctions")
    op.drop_table("room_moderators")
    op.drop_table("room_rules")
    op.drop_table("room_visits")
    op.drop_table("chat_messages")


def _of_stream(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["stream_id"], ["streams.id"], name=f"fk_{table}_stream_id_streams", ondelete="CASCADE"
    )


def _chat_messages() -> None:
    op.create_table(
        "chat_messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_time_s", sa.Float(), nullable=True),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        _of_stream("chat_messages"),
        sa.PrimaryKeyConstraint("id", name="pk_chat_messages"),
    )
    op.create_index(
        "ix_chat_messages_stream_id_sent_at_id",
        "chat_messages",
        ["stream_id", "sent_at", "id"],
        unique=False,
    )


def _room_visits() -> None:
    op.create_table(
        "room_visits",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("first_joined_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_left_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("watched_s", sa.Float(), nullable=False),
        _of_stream("room_visits"),
        sa.PrimaryKeyConstraint("stream_id", "viewer", name="pk_room_visits"),
    )


def _room_rules() -> None:
    op.create_table(
        "room_rules",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("slow_mode_s", sa.Integer(), nullable=False),
        sa.Column("pinned_message_id", sa.Uuid(), nullable=True),
        sa.Column("blocked_words", sa.JSON(), nullable=False),
        sa.Column("watched_s", sa.Float(), nullable=False),
        _of_stream("room_rules"),
        sa.PrimaryKeyConstraint("stream_id", name="pk_room_rules"),
    )


def _room_moderators() -> None:
    op.create_table(
        "room_moderators",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        _of_stream("room_moderators"),
        sa.PrimaryKeyConstraint("stream_id", "user_id", name="pk_room_moderators"),
    )


def _room_sanctions() -> None:
    op.create_table(
        "room_sanctions",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        _of_stream("room_sanctions"),
        sa.PrimaryKeyConstraint("stream_id", "viewer", name="pk_room_sanctions"),
    )


def _room_moderations() -> None:
    op.create_table(
        "room_moderations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("message_id", sa.Uuid(), nullable=True),
        sa.Column("viewer", sa.String(length=64), nullable=True),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("words", sa.JSON(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _of_stream("room_moderations"),
        sa.PrimaryKeyConstraint("id", name="pk_room_moderations"),
    )
    op.create_index(
        "ix_room_moderations_stream_id_at_id",
        "room_moderations",
        ["stream_id", "at", "id"],
        unique=False,
    )
