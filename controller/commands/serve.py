"""`golive serve`."""

import asyncio
import os
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
from ingest import PackagerNursery


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
        # In the daemon, not in its launcher: the worker's parent is the one that serves.
        worker = _worker(data_dir, config_file)
        nursery = PackagerNursery.fork()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(run_daemon(settings, worker_command=worker, nursery=nursery))

    sys.exit(Launcher(run).run())


def _worker(data_dir: Path | None, config_file: Path | None) -> tuple[str, ...]:
    """The command line of the worker that this daemon keeps beside itself."""
    return (
        *(sys.executable, "-m", "controller.cli", "worker", "--parent", str(os.getpid())),
        *(("--data", str(data_dir)) if data_dir is not None else ()),
        *(("--config", str(config_file)) if config_file is not None else ()),
    )
