"""Feedback, shown lists, erased users, switches of the model."""

import secrets

import sqlalchemy as sa
from alembic import op

from conv4rec.service.store.tables import ROW, Kinds

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make all tables. The types of ids come from the model that the store is made for."""
    kinds: Kinds = op.get_context().config.attributes["kinds"]  # type: ignore[union-attr]
    users, items = kinds.types()
    op.create_table(
        "feedback",
        sa.Column("id", ROW, primary_key=True, autoincrement=True),
        sa.Column("user_id", users, nullable=False),
        sa.Column("item_id", items, nullable=False),
        sa.Column("rating", sa.Float(53)),
        sa.Column("type", sa.Text),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("key", sa.String(200), unique=True),
    )
    op.create_index("feedback_user", "feedback", ["user_id"])
    op.create_table(
        "shown",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("user_id", users, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("rank_by", sa.Text, nullable=False),
        sa.Column("item_id", sa.JSON, nullable=False),
    )
    op.create_index("shown_user", "shown", ["user_id"])
    op.create_table(
        "erased",
        sa.Column("hash", sa.String(64), primary_key=True),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "switches",
        sa.Column("id", ROW, primary_key=True, autoincrement=True),
        sa.Column("model", sa.Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
    )
    _make_meta()


def _make_meta() -> None:
    meta = op.create_table("meta", sa.Column("name", sa.String(32), primary_key=True), sa.Column("value", sa.Text))
    op.bulk_insert(meta, [{"name": "salt", "value": secrets.token_hex(32)}])


def downgrade() -> None:
    """Drop all tables, and with them everything that is in the store."""
    for table in ("meta", "switches", "erased", "shown", "feedback"):
        op.drop_table(table)
