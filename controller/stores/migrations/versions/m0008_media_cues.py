"""Where on the media's time products were shown and people reacted; products pinned."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add to the tags, which so far knew the second of the stream alone; create the tables."""
    op.add_column("product_tags", sa.Column("media_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("product_tags", sa.Column("stream_time_s", sa.Float(), nullable=True))
    op.create_table(
        "product_pins",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("product_id", sa.Uuid(), nullable=False),
        sa.Column("timestamp_s", sa.Integer(), nullable=False),
        sa.Column("media_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stream_time_s", sa.Float(), nullable=True),
        sa.Column("media_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stream_until_s", sa.Float(), nullable=True),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_product_pins_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["product_id"],
            ["products.id"],
            name="fk_product_pins_product_id_products",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_product_pins"),
    )
    op.create_index(
        "ix_product_pins_stream_id_media_at",
        "product_pins",
        ["stream_id", "media_at"],
        unique=False,
    )
    op.create_index(
        "uq_product_pins_shown",
        "product_pins",
        ["stream_id"],
        unique=True,
        sqlite_where=sa.text("media_until IS NULL"),
        postgresql_where=sa.text("media_until IS NULL"),
    )
    op.create_table(
        "reaction_moments",
        sa.Column("stream_id", sa.Uuid(), nullable=False),
        sa.Column("at_s", sa.Integer(), nullable=False),
        sa.Column("emoji", sa.String(length=32), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["stream_id"],
            ["streams.id"],
            name="fk_reaction_moments_stream_id_streams",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("stream_id", "at_s", "emoji", name="pk_reaction_moments"),
    )


def downgrade() -> None:
    """Take all of it away."""
    op.drop_table("reaction_moments")
    op.drop_table("product_pins")
    op.drop_column("product_tags", "stream_time_s")
    op.drop_column("product_tags", "media_at")
