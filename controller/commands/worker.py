"""`golive worker`."""

import asyncio
import os
import sys
from pathlib import Path

import click
import uvloop

from controller.commands.options import (
    config_option,
    data_option,
    settings_or_exit,
    start_logging,
)
from controller.supervision.notify import ManagerAddress, ServiceManager
from controller.worker import work


@click.command
@data_option
@config_option
@click.option("--parent", type=int, hidden=True, help="The daemon that this worker ends with.")
def worker(data_dir: Path | None, config_file: Path | None, parent: int | None) -> None:
    """Do background jobs: process uploaded videos, make pictures and files of recordings.

    `golive dev` and `golive serve` run one beside themselves. More of them, also on other machines,
    share the same database, object store and Redis. Ends with status 0 after SIGINT or SIGTERM;
    jobs that are not done are put back.
    """
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    # A worker that a daemon keeps is the daemon's business, not the service manager's.
    address = ManagerAddress.of(os.environ, os.getpid()) if parent is None else ManagerAddress()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.exit(runner.run(work(settings, parent, manager=ServiceManager(address))))
