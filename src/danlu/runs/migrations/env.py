"""Alembic's entry: run the migrations on the connection that `upgrade` opened."""

from alembic import context

from danlu.runs.database import Table

context.configure(connection=context.config.attributes["connection"], target_metadata=Table.metadata)
with context.begin_transaction():
    context.run_migrations()
