"""Add what providers report that runs of experts have cost."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what providers report that runs of experts have cost."""
    op.add_column("expert_runs", sa.Column("cost_microdollars", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("expert_runs", "cost_microdollars")
