"""`golive serve`."""

import asyncio
import faulthandler
import gc
import os
import sys
from collections.abc import Collection
from pathlib import Path

import click
import structlog
import uvloop

from controller.app import serve as run_daemon
from controller.commands.options import (
    EXIT_USAGE,
    config_option,
    data_option,
    fail,
    read_settings,
    settings_or_exit,
    start_logging,
)
from controller.configuration.problems import RefusedConfiguration
from controller.errors import ConfigurationError, ControllerError
from controller.launcher import Launcher, Successor
from controller.logs import set_log_level
from controller.open_files import raise_open_files_limit
from controller.settings import Settings
from controller.stores.opening import database_url, open_stores
from controller.supervision.activation import passed_sockets
from controller.supervision.notify import ManagerAddress, ServiceManager
from controller.system_clock import SystemClock
from ingest import PackagerNursery

_COLLECT_AFTER = (2_000, 10, 100)
"""Objects, and collections of each generation. Requests that wait are thousands of objects that
are no garbage; looking through all of them takes half a second, in which nobody is answered."""


@click.command
@data_option
@config_option
@click.option(
    *("--dry-run", "dry_run"),
    is_flag=True,
    help="Say whether it could be run: read the configuration, look at the database, and end.",
)
def serve(data_dir: Path | None, config_file: Path | None, *, dry_run: bool) -> None:
    """Run the daemon alone, behind an nginx that is set up already.

    Ends with status 0 after SIGINT or SIGTERM. SIGHUP reloads the configuration: whole and valid,
    or not at all. SIGUSR2 puts the release that is installed now in the daemon's place, with the
    same arguments and the configuration as it is now: it is imported while the old daemon serves,
    and only if it could be run. Under systemd it takes the sockets called `http` and `hooks` that
    are handed over, and tells how it fares.
    """
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    if dry_run:
        _try_database(settings)
        return
    raise_open_files_limit()
    Daemon(settings, data_dir, config_file).run()


class Daemon:
    """What the launcher runs, again and again; keeps the last valid settings for the next one."""

    def __init__(self, settings: Settings, data_dir: Path | None, config_file: Path | None) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._config_file = config_file
        # Both say for which process they are meant: the launcher, which then forks.
        self._manager_address = ManagerAddress.of(os.environ, os.getpid())
        self._sockets = _passed_or_exit()

    def run(self) -> None:
        """Until the daemon has ended; exits with its status."""
        successor = _successor(self._sockets.values())
        sys.exit(Launcher(self._serve, self._read_anew, successor).run())

    def _read_anew(self) -> None:
        """In the launcher. A refused configuration is the daemon's to tell."""
        try:
            self._settings = read_settings(self._config_file, self._data_dir)
        except RefusedConfiguration:
            structlog.get_logger(__name__).debug("kept_settings")

    def _serve(self) -> int:
        set_log_level(self._settings.log_level)  # a reload may have changed it
        faulthandler.enable()  # the watchdog's SIGABRT then shows where it hangs
        # In the daemon, not in its launcher: the worker's parent is the one that serves.
        gc.set_threshold(*_COLLECT_AFTER)
        worker = _worker(self._data_dir, self._config_file)
        nursery = PackagerNursery.fork()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(
                run_daemon(
                    self._listening(self._settings),
                    manager=ServiceManager(self._manager_address),
                    load=lambda: self._listening(read_settings(self._config_file, self._data_dir)),
                    worker_command=worker,
                    nursery=nursery,
                )
            )

    def _listening(self, settings: Settings) -> Settings:
        """The settings with the sockets that were handed over in place of addresses."""
        given = {
            setting: f"fd:{self._sockets[name]}"
            for name, setting in (("http", "http_listen"), ("hooks", "hook_listen"))
            if name in self._sockets
        }
        return settings.model_copy(update=given)


def _try_database(settings: Settings) -> None:
    async def look() -> None:
        url = database_url(settings.database_url.get_secret_value(), settings.data_dir)
        stores = open_stores(url, SystemClock())
        try:
            await stores.database.check()
        finally:
            await stores.database.close()

    try:
        asyncio.run(look())
    except ControllerError as error:
        fail([error.detail])


def _successor(sockets: Collection[int]) -> Successor:
    """What this process was started as, looked up anew: a link may lead to another release now."""
    program = Path(sys.argv[0])
    if os.access(program, os.X_OK):  # a script of the environment that it belongs to
        command = [str(program.absolute()), *sys.argv[1:]]
    else:
        command = [sys.executable, *sys.orig_argv[1:]]
    return Successor(command, [*command, "--dry-run"], sockets)


def _passed_or_exit() -> dict[str, int]:
    try:
        return passed_sockets(os.environ, os.getpid())
    except ConfigurationError as error:
        fail([error.detail], EXIT_USAGE)


def _worker(data_dir: Path | None, config_file: Path | None) -> tuple[str, ...]:
    """The command line of the worker that this daemon keeps beside itself."""
    return (
        *(sys.executable, "-m", "controller.cli", "worker", "--parent", str(os.getpid())),
        *(("--data", str(data_dir)) if data_dir is not None else ()),
        *(("--config", str(config_file)) if config_file is not None else ()),
    )
