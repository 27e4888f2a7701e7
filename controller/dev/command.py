"""From the command line's words to a running `golive dev`, and back to an exit status."""

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import structlog

from controller.dev.console import Console
from controller.dev.demo_directory import StandaloneDirectory
from controller.dev.demo_stream import HttpDemoStreams
from controller.dev.layout import DataLayout, opened_layout, prepare_data_dir
from controller.dev.listening import held_sockets
from controller.dev.lock import locked_data_dir
from controller.dev.plan import DevOptions, DevPlan, make_plan
from controller.dev.prerequisites import check_ports, find_nginx, find_wrappers, search_path
from controller.dev.process import Wrappers
from controller.dev.readiness import HttpReadiness
from controller.dev.restarts import RestartPolicy
from controller.dev.server import DevServer
from controller.settings import Settings


def run_dev(
    data_dir: Path, options: DevOptions, settings: Settings, environment: Mapping[str, str]
) -> None:
    """Run until Ctrl-C or SIGTERM; raises DevError when that cannot be.

    data_dir: relative to the current folder or absolute; made when missing.
    """
    path = search_path()
    nginx = find_nginx(path)
    wrappers = Wrappers(*find_wrappers(path))
    folder = prepare_data_dir(data_dir)
    spool_dir = settings.spool_folder if settings.spool_dir else None
    with locked_data_dir(folder), opened_layout(folder, spool_dir) as layout:
        _keep_one_old(layout.logs_dir / "access.log")
        needs = options.port_needs
        if settings.tls_certificate is not None:
            needs += options.tls_port_needs
        check_ports(needs)
        plan = make_plan(options, settings, layout, nginx, environment)
        with held_sockets(plan.daemon) as daemon:
            asyncio.run(_run(replace(plan, daemon=daemon), layout, wrappers, settings))


async def _run(plan: DevPlan, layout: DataLayout, wrappers: Wrappers, settings: Settings) -> None:
    loop = asyncio.get_running_loop()
    log = structlog.stdlib.get_logger("golive.dev")
    server = DevServer(
        plan,
        wrappers=wrappers,
        readiness=HttpReadiness(plan.daemon_listen),
        demo_streams=HttpDemoStreams(
            plan.local_url,
            layout.data_dir / "demo-stream",
            StandaloneDirectory(settings, layout.data_dir, plan.local_url),
        ),
        console=Console(sys.stdout, sys.stderr, log),
        policy=RestartPolicy(),
        clock=loop.time,
        log=log,
    )
    with _stop_signals(loop) as (stop, kill):
        await server.run(stop, kill)


@contextmanager
def _stop_signals(
    loop: asyncio.AbstractEventLoop,
) -> Iterator[tuple[asyncio.Event, asyncio.Event]]:
    """Two events: the first Ctrl-C or SIGTERM asks to stop, the second to do so at once."""
    stop, kill = asyncio.Event(), asyncio.Event()

    def on_signal() -> None:
        (kill if stop.is_set() else stop).set()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal)
    try:
        yield stop, kill
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _keep_one_old(log_file: Path) -> None:
    """Each run has an access log of its own; the one before is kept."""
    if log_file.exists():
        log_file.replace(log_file.with_suffix(".old.log"))
