"""Who watched when, as stays, in place of sums of seconds; countries; how playback went."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_BEFORE = "before"
_BUYER = "fk_product_events_viewer_id_users"


def upgrade() -> None:
    """Create the tables; what viewers of a stream on air have watched becomes a stay of each."""
    _viewer_spans()
    op.create_table(
        "span_holders",
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("seen_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", name="pk_span_holders"),
    )
    op.create_table(
        "room_batches",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        _of_stream("room_batches"),
        sa.PrimaryKeyConstraint("stream_id", "holder", name="pk_room_batches"),
    )
    _playback_sessions()
    _take_over()
    op.drop_table("stream_geography")
    op.add_column("room_visits", sa.Column("country", sa.String(length=2), nullable=True))
    op.drop_column("room_visits", "watched_s")
    op.drop_column("room_rules", "watched_s")
    with op.batch_alter_table("product_events") as product_events:
        product_events.drop_constraint(_BUYER, type_="foreignkey")


def downgrade() -> None:
    """Take them back; each viewer's seconds are not computed anew, guests' events go."""
    op.execute("DELETE FROM product_events WHERE viewer_id NOT IN (SELECT id FROM users)")
    with op.batch_alter_table("product_events") as product_events:
        product_events.create_foreign_key(
            _BUYER, "users", ["viewer_id"], ["id"], ondelete="CASCADE"
        )
    for table in ("room_rules", "room_visits"):
        op.add_column(
            table, sa.Column("watched_s", sa.Float(), nullable=False, server_default=sa.text("0"))
        )
    op.drop_column("room_visits", "country")
    op.create_table(
        "stream_geography",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("country", sa.String(length=2), nullable=False),
        sa.Column("viewers", sa.Integer(), nullable=False),
        _of_stream("stream_geography"),
        sa.PrimaryKeyConstraint("stream_id", "country", name="pk_stream_geography"),
    )
    op.drop_table("playback_sessions")
    op.drop_table("room_batches")
    op.drop_table("span_holders")
    op.drop_table("viewer_spans")


def _of_stream(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["stream_id"], ["streams.id"], name=f"fk_{table}_stream_id_streams", ondelete="CASCADE"
    )


def _viewer_spans() -> None:
    op.create_table(
        "viewer_spans",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("viewer", sa.String(length=64), nullable=False),
        sa.Column("since_ms", sa.BigInteger(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=True),
        _of_stream("viewer_spans"),
        sa.PrimaryKeyConstraint("stream_id", "holder", "number", name="pk_viewer_spans"),
    )
    op.create_index(
        "ix_viewer_spans_stream_id_viewer_since_ms",
        "viewer_spans",
        ["stream_id", "viewer", "since_ms"],
        unique=False,
    )


def _playback_sessions() -> None:
    op.create_table(
        "playback_sessions",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("session", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=32), nullable=False),
        sa.Column("startup_ms", sa.BigInteger(), nullable=True),
        sa.Column("rebuffers", sa.Integer(), nullable=False),
        sa.Column("rebuffered_ms", sa.BigInteger(), nullable=True),
        sa.Column("shown_ms", sa.BigInteger(), nullable=False),
        sa.Column("bits", sa.BigInteger(), nullable=False),
        _of_stream("playback_sessions"),
        sa.PrimaryKeyConstraint("stream_id", "session", "holder", name="pk_playback_sessions"),
    )


def _take_over() -> None:
    """As long as each has watched, from when it came or the stream began, whichever is later."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    later = "max" if is_sqlite else "greatest"
    epoch = (
        "CAST(round((julianday({0}) - 2440587.5) * 86400000) AS INTEGER)"
        if is_sqlite
        else "CAST(extract(epoch FROM {0}) * 1000 AS BIGINT)"
    )
    since = f"{later}({epoch.format('v.first_joined_at')}, {epoch.format('s.started_at')})"
    op.execute(
        f"""
        INSERT INTO viewer_spans (stream_id, holder, number, viewer, since_ms, until_ms)
        SELECT stream_id, '{_BEFORE}', row_number() OVER (ORDER BY viewer), viewer, since,
               since + CAST(watched_s * 1000 AS BIGINT)
        FROM (SELECT v.stream_id, v.viewer, v.watched_s, {since} AS since
              FROM room_visits v JOIN streams s ON s.id = v.stream_id
              WHERE s.status = 'live' AND v.watched_s > 0) AS watched
        """  # noqa: S608 - of constants alone
    )
