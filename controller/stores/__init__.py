"""Where streams, keys, people and products are kept: SQLite or PostgreSQL, one code path."""
