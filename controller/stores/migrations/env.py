"""Alembic's entry: runs on the connection, and in the transaction, that it is handed."""

from alembic import context

from controller.stores import (  # noqa: F401  their tables belong to the metadata
    derived_schema,
    job_schema,
    room_schema,
    watching_schema,
)
from controller.stores.schema import metadata

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=metadata, render_as_batch=False)
with context.begin_transaction():
    context.run_migrations()
