"""What administrators do from the command line: people, products, streams, tokens."""

from controller.admin_cli.directory import product, user
from controller.admin_cli.streams import stream
from controller.admin_cli.tokens import token

__all__ = ["product", "stream", "token", "user"]
