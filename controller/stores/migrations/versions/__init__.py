"""The schema, step by step; each step runs on both databases, up and down."""
