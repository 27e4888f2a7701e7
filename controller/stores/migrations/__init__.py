"""Alembic's entry and its steps."""
