"""The log of tests, as structlog writes it that nobody has configured, but for tracebacks."""

import structlog

_PLAIN = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)


def log_plainly() -> None:
    """structlog left to itself draws each traceback with all local variables, which takes seconds
    for an error out of SQLAlchemy."""
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], _PLAIN])
