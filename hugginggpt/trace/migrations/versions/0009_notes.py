"""Add what the user should know of how a request's files were taken."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the user should know of how a request's files were taken."""
    op.add_column("request_resources", sa.Column("notes", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("request_resources", "notes")
