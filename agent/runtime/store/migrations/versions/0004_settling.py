"""How long what was under way when an agent was killed may still come to be."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("ticket_updates", sa.Column("settles_within", sa.Double()))
