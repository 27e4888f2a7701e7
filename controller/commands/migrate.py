"""`golive migrate`."""

import asyncio
from pathlib import Path

import click

from controller.commands.options import (
    EXIT_USAGE,
    config_option,
    data_option,
    fail,
    settings_or_exit,
    start_logging,
)
from controller.errors import ControllerError
from controller.stores.migration import migrate as run_migrations
from controller.stores.opening import database_url


@click.command
@data_option
@config_option
def migrate(data_dir: Path | None, config_file: Path | None) -> None:
    """Bring the database to this release's schema; a new one is made. Safe to repeat."""
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    try:
        settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
        asyncio.run(run_migrations(url))
    except ControllerError as error:
        fail([error.detail])
    except ValueError as error:
        fail([f"database_url: {error}"], EXIT_USAGE)
