"""`golive config`."""

import click

from controller.configuration.reference import reference


@click.command
def config() -> None:
    """Print a settings file (TOML) with every setting, what it means, and its default.

    All are commented out, so that the file as it is changes nothing.
    """
    click.echo(reference(), nl=False)
