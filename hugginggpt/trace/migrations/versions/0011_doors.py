"""Add where requests came from, the keys of clients, and webhooks."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add where requests came from, the keys of clients, and webhooks."""
    op.create_table(
        "api_keys",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("sees_all", sa.Boolean(), nullable=False),
        sa.Column("most_requests", sa.Integer(), nullable=True),
        sa.Column("most_cost_microdollars", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("name", name="pk_api_keys"),
        sa.UniqueConstraint("sha256", name="uq_api_keys_sha256"),
    )
    op.add_column("requests", sa.Column("door", sa.Text(), nullable=True))
    op.add_column("requests", sa.Column("key_name", sa.Text(), nullable=True))
    op.create_index("ix_requests_key_name_created_at", "requests", ["key_name", "created_at"])
    op.create_table(
        "uploads",
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["key_name"], ["api_keys.name"], name="fk_uploads_key_name_api_keys", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("key_name", "sha256", name="pk_uploads"),
    )
    op.create_table(
        "webhooks",
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_try_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["request_id"], ["requests.id"], name="fk_webhooks_request_id_requests", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("request_id", name="pk_webhooks"),
    )
    op.create_index("ix_webhooks_next_try_at", "webhooks", ["next_try_at"])


def downgrade() -> None:
    """Undo it."""
    op.drop_table("webhooks")
    op.drop_table("uploads")
    op.drop_index("ix_requests_key_name_created_at", "requests")
    op.drop_column("requests", "key_name")
    op.drop_column("requests", "door")
    op.drop_table("api_keys")
