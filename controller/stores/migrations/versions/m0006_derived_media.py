"""What is derived from recordings: MP4, poster and storyboard of a stream, clips."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_URLS = ("mp4_url", "poster_url", "storyboard_url")


def upgrade() -> None:
    """Create the tables, and the addresses on streams."""
    for name in _URLS:
        op.add_column("streams", sa.Column(name, sa.Text(), nullable=True))
    op.create_table(
        "stream_derivations",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        _of_stream("stream_derivations"),
        sa.PrimaryKeyConstraint("stream_id", name="pk_stream_derivations"),
    )
    op.create_table(
        "clips",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=True),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("start_s", sa.Float(), nullable=False),
        sa.Column("end_s", sa.Float(), nullable=False),
        sa.Column("exact", sa.Boolean(), nullable=False),
        sa.Column("made", sa.JSON(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        _of_stream("clips"),
        sa.PrimaryKeyConstraint("id", name="pk_clips"),
    )
    op.create_index(
        "ix_clips_stream_id_created_at_id",
        "clips",
        ["stream_id", "created_at", "id"],
        unique=False,
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("clips")
    op.drop_table("stream_derivations")
    with op.batch_alter_table("streams") as streams:
        for name in reversed(_URLS):
            streams.drop_column(name)


def _of_stream(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["stream_id"], ["streams.id"], name=f"fk_{table}_stream_id_streams", ondelete="CASCADE"
    )
