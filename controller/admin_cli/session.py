"""Opens the stores for one command and closes them after it."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar
from uuid import UUID

from controller.api.fields import parse_uuid
from controller.auth.issuing import standalone_user_id
from controller.commands.options import EXIT_USAGE, fail, settings_or_exit, start_logging
from controller.domain.people import Identity, Role, User
from controller.errors import ControllerError, UserNotFound
from controller.settings import Settings
from controller.stores.opening import Stores, database_url, open_stores
from controller.system_clock import SystemClock

ResultT = TypeVar("ResultT")


def settings_for(data_dir: Path | None, config_file: Path | None) -> Settings:
    """The command's settings, logging set up; ends the command when they are wrong."""
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    return settings


def with_stores(settings: Settings, work: Callable[[Stores], Awaitable[ResultT]]) -> ResultT:
    """What `work` answers over the installation's stores; ends the command with the reason when
    it is refused.
    """
    if not has_database(settings):
        fail(["there is no database yet: run golive migrate"])
    try:
        url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
        return asyncio.run(_over(url, work))
    except ControllerError as error:
        fail([error.detail])
    except ValueError as error:
        fail([f"database_url: {error}"], EXIT_USAGE)


async def _over(url: str, work: Callable[[Stores], Awaitable[ResultT]]) -> ResultT:
    stores = open_stores(url, SystemClock())
    try:
        await stores.database.check()
        return await work(stores)
    finally:
        await stores.database.close()


def has_database(settings: Settings) -> bool:
    """False for the embedded database before the first start: looking would create it."""
    url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


async def find_user(stores: Stores, name: str) -> User | None:
    """The user of that id or name, None when there is none; ends the command when there are
    several.
    """
    user_id = as_uuid(name)
    if user_id is not None:
        try:
            return await stores.users.get(user_id)
        except UserNotFound:
            return None
    found = await stores.users.with_username(name)
    if len(found) > 1:
        known = ", ".join(str(user.id) for user in found)
        fail([f"{len(found)} users are called {name}; give one's id: {known}"], EXIT_USAGE)
    return found[0] if found else None


async def require_user(stores: Stores, name: str) -> User:
    """The user of that id or name; UserNotFound."""
    user = await find_user(stores, name)
    if user is None:
        raise UserNotFound(f"No user is called {name}")
    return user


def identity_of(user: User, role: Role | None = None) -> Identity:
    """The user as a token would name them, in another role if one is given."""
    return Identity(user.id, user.username, role or user.role, user.avatar_url)


def new_identity(name: str, role: Role) -> Identity:
    """Somebody who is not in the directory yet."""
    user_id = as_uuid(name)
    return Identity(user_id or standalone_user_id(name), name, role)


def as_uuid(word: str) -> UUID | None:
    """The id that the word is, if it is one."""
    try:
        return parse_uuid(word)
    except ValueError:
        return None
