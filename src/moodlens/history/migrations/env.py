"""Run by Alembic: the steps go over the connection that `History` opened."""

from __future__ import annotations

from alembic import context

from moodlens.history.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table only by writing it anew
)
with context.begin_transaction():
    context.run_migrations()
