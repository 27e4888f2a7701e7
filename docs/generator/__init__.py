"""Pages of the documentation that are made from the code and from a running daemon."""
