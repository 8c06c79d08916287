"""Sessions, their samples, and thumbs on recommendations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCORES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "sessions",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("title", sa.String(120), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("duration_s", sa.Float(), nullable=False),
        sa.Column("frames", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
    )
    op.create_index("ix_sessions_started_at", "sessions", ["started_at"])
    op.create_table(
        "samples",
        sa.Column("session_id", sa.Integer(), nullable=False),
        sa.Column("track_id", sa.Integer(), nullable=False),
        sa.Column("second", sa.Integer(), nullable=False),
        sa.Column("emotion", sa.String(16), nullable=False),
        *(sa.Column(name, sa.Float(), nullable=False) for name in SCORES),
        sa.Column("valence", sa.Float(), nullable=False),
        sa.Column("arousal", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("session_id", "track_id", "second", name="pk_samples"),
        sa.ForeignKeyConstraint(
            ["session_id"], ["sessions.id"], name="fk_samples_session", ondelete="CASCADE"
        ),
    )
    op.create_table(
        "thumbs",
        sa.Column("item_id", sa.String(200), nullable=False),
        sa.Column("value", sa.SmallInteger(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("item_id", name="pk_thumbs"),
    )


def downgrade() -> None:
    """Drop them."""
    op.drop_table("thumbs")
    op.drop_table("samples")
    op.drop_index("ix_sessions_started_at", "sessions")
    op.drop_table("sessions")
