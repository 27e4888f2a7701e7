"""The documentation: whole, true, and open without a network."""
