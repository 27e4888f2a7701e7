"""`golive serve`."""

import asyncio
import sys
from pathlib import Path

import click
import uvloop

from controller.app import serve as run_daemon
from controller.commands.options import (
    config_option,
    data_option,
    settings_or_exit,
    start_logging,
)
from controller.launcher import Launcher
from controller.open_files import raise_open_files_limit


@click.command
@data_option
@config_option
def serve(data_dir: Path | None, config_file: Path | None) -> None:
    """Run the daemon alone, behind an nginx that is set up already.

    Ends with status 0 after SIGINT or SIGTERM.
    """
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    raise_open_files_limit()

    def run() -> int:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run_daemon(settings))

    sys.exit(Launcher(run).run())
