"""Add what documents can be used as."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what documents can be used as."""
    op.add_column("request_resources", sa.Column("parts", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("request_resources", "parts")
