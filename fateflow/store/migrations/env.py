"""Alembic's entry: always over a connection that ``Database`` hands in."""

from __future__ import annotations

from alembic import context

from fateflow.store.orm import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
