"""People, whom they follow, their devices and their products."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _users()
    _follows()
    _push_devices()
    _products()


def downgrade() -> None:
    """Drop them."""
    op.drop_table("products")
    op.drop_table("push_devices")
    op.drop_table("follows")
    op.drop_table("users")


def _users() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("avatar_url", sa.Text(), nullable=True),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "role IN ('buyer', 'seller', 'both', 'admin')", name="ck_users_role_word"
        ),
        sa.CheckConstraint(
            "(latitude IS NULL) = (longitude IS NULL)", name="ck_users_position_whole"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_users"),
    )
    op.create_index("ix_users_latitude", "users", ["latitude"], unique=False)
    op.create_index("ix_users_username", "users", ["username"], unique=False)


def _follows() -> None:
    op.create_table(
        "follows",
        sa.Column("follower_id", sa.Uuid(), nullable=False),
        sa.Column("host_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("follower_id <> host_id", name="ck_follows_not_self"),
        sa.ForeignKeyConstraint(
            ["follower_id"], ["users.id"], name="fk_follows_follower_id_users", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["host_id"], ["users.id"], name="fk_follows_host_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("follower_id", "host_id", name="pk_follows"),
    )
    op.create_index("ix_follows_host_id", "follows", ["host_id"], unique=False)


def _push_devices() -> None:
    op.create_table(
        "push_devices",
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint("kind IN ('fcm', 'web_push')", name="ck_push_devices_kind_word"),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_push_devices_user_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("user_id", "id", name="pk_push_devices"),
    )


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("seller_id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("price", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("image_urls", sa.JSON(), nullable=False),
        sa.Column("is_available", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("price >= 0", name="ck_products_price_positive"),
        sa.ForeignKeyConstraint(
            ["seller_id"], ["users.id"], name="fk_products_seller_id_users", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_products"),
    )
    op.create_index(
        "ix_products_seller_id_created_at_id",
        "products",
        ["seller_id", "created_at", "id"],
        unique=False,
    )
