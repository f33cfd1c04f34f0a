"""Add what the controller thought aloud in a call, and whether its tokens are estimated."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what the controller thought aloud in a call, and whether its tokens are estimated."""
    op.add_column("controller_calls", sa.Column("thoughts", sa.Text(), nullable=True))
    op.add_column("controller_calls", sa.Column("estimated", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Undo it."""
    op.drop_column("controller_calls", "estimated")
    op.drop_column("controller_calls", "thoughts")
