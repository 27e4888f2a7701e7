"""Recordings: what has become of each, how long it stays."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; what was published before stays for as long as the rules say."""
    op.create_table(
        "recordings",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=32), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("keep_days", sa.Integer(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("save_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_recordings_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", name="pk_recordings"),
    )
    op.create_index(
        "ix_recordings_state_finished_at", "recordings", ["state", "finished_at"], unique=False
    )
    op.execute(
        "INSERT INTO recordings (stream_id, state, size_bytes, finished_at, updated_at)"
        " SELECT id, 'ready', 0, ended_at, updated_at FROM streams WHERE vod_url IS NOT NULL"
    )


def downgrade() -> None:
    """Drop it."""
    op.drop_table("recordings")
