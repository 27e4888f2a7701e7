"""The hub's transports."""
