"""Rehearsals: what a host sees of its encoder before its stream is live."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "rehearsals",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ingest_state", sa.String(length=32), nullable=False),
        sa.Column("ingest_state_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("publication_id", sa.Uuid(), nullable=True),
        sa.Column("internal_name", sa.String(length=128), nullable=True),
        sa.Column("nginx_client_id", sa.Text(), nullable=True),
        sa.Column("client_address", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_rehearsals_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_rehearsals"),
        sa.UniqueConstraint("publication_id", name="uq_rehearsals_publication_id"),
        sa.UniqueConstraint("internal_name", name="uq_rehearsals_internal_name"),
    )
    op.create_index("ix_rehearsals_stream_id", "rehearsals", ["stream_id"], unique=False)
    is_running = sa.text("ended_at IS NULL")
    op.create_index(
        "uq_rehearsals_running",
        "rehearsals",
        ["stream_id"],
        unique=True,
        sqlite_where=is_running,
        postgresql_where=is_running,
    )


def downgrade() -> None:
    """Drop the table; what rehearsals left on disk is removed by whoever knows them."""
    op.drop_table("rehearsals")
