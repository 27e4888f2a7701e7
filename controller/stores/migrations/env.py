"""Alembic's entry: runs on the connection, and in the transaction, that it is handed."""

from alembic import context

from controller.stores import room_schema  # noqa: F401  its tables belong to the metadata
from controller.stores.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
