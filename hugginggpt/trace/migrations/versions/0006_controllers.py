"""Add which controller a life of a request had."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_COLUMNS = ("controller_model", "controller_server")


def upgrade() -> None:
    """Add which controller a life of a request had."""
    for name in _COLUMNS:
        op.add_column("flow_runs", sa.Column(name, sa.Text(), nullable=True))


def downgrade() -> None:
    """Undo it."""
    for name in _COLUMNS:
        op.drop_column("flow_runs", name)
