"""`golive token`."""

from datetime import timedelta
from pathlib import Path

import click

from controller.admin_cli.session import (
    find_user,
    has_database,
    identity_of,
    new_identity,
    settings_for,
    with_stores,
)
from controller.auth.bearer import TokenRules
from controller.auth.issuing import TokenIssuer
from controller.commands.options import config_option, data_option, fail
from controller.domain.people import Identity, Role
from controller.errors import ControllerError
from controller.secrets_file import load_secrets
from controller.settings import Settings
from controller.stores.opening import Stores
from controller.system_clock import SystemClock


@click.command
@click.argument("username")
@click.option(
    "--role",
    type=click.Choice([role.value for role in Role]),
    help="What the bearer may do.  [default: the user's role, for a new user both]",
)
@click.option(
    "--hours",
    type=click.FloatRange(min=0, max=24 * 366, min_open=True),
    default=24.0,
    show_default=True,
    help="How long the token is valid.",
)
@data_option
@config_option
def token(
    username: str, role: str | None, hours: float, data_dir: Path | None, config_file: Path | None
) -> None:
    """Print a bearer token for USERNAME (or a user's id), and nothing else."""
    settings = settings_for(data_dir, config_file)
    wanted = None if role is None else Role(role)
    try:
        issuer = token_issuer(settings)
    except ControllerError as error:
        fail([error.detail])
    click.echo(issuer.issue(_identity(settings, username, wanted), timedelta(hours=hours)))


def token_issuer(settings: Settings) -> TokenIssuer:
    """Signs with the installation's secret; ConfigurationError when somebody else issues."""
    rules = TokenRules(
        algorithm=settings.auth_algorithm,
        audience=settings.auth_audience,
        issuer=settings.auth_issuer,
    )
    secrets = load_secrets(
        settings.data_dir,
        settings.auth_secret.get_secret_value(),
        settings.key_secret.get_secret_value(),
    )
    return TokenIssuer(secrets.auth, rules, SystemClock())


def _identity(settings: Settings, username: str, role: Role | None) -> Identity:
    """The directory's user of that name, else someone new: their first call enters them."""

    async def look_up(stores: Stores) -> Identity | None:
        user = await find_user(stores, username)
        return None if user is None else identity_of(user, role)

    known = with_stores(settings, look_up) if has_database(settings) else None
    return known or new_identity(username, role or Role.BOTH)
