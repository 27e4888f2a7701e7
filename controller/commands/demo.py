"""`golive demo`."""

import asyncio
import signal
import threading
import time
from pathlib import Path

import click

from controller.commands.options import (
    config_option,
    data_option,
    fail,
    settings_or_exit,
    start_logging,
)
from controller.dev.console import RunningServer
from controller.dev.demo_directory import StandaloneDirectory
from controller.dev.demo_stream import HttpDemoStreams
from controller.dev.errors import DevError
from controller.dev.running import running_server
from controller.dev.test_picture import TestPicture, TestPicturePusher
from controller.settings import Settings


@click.command
@data_option
@config_option
@click.option(
    "--duration", "duration_s", type=click.FloatRange(min=0, min_open=True),
    help="Stop after so many seconds.  [default: at Ctrl-C]",
)  # fmt: skip
def demo(data_dir: Path | None, config_file: Path | None, duration_s: float | None) -> None:
    """Push a test picture with sound to the running `golive dev`."""
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    try:
        folder = settings.data_dir.expanduser().resolve()
        server = running_server(folder)
        url = asyncio.run(_push_url(server, settings, folder))
        click.echo(f"Pushing a test picture to {server.rtmp_url}; watch it at {server.watch_url}")
        started_s = time.monotonic()
        frames = TestPicturePusher(url, TestPicture()).push(_stop_event(duration_s))
    except DevError as error:
        fail(error.lines)
    click.echo(f"Sent {frames} frames in {time.monotonic() - started_s:.1f} s.")


async def _push_url(server: RunningServer, settings: Settings, folder: Path) -> str:
    streams = HttpDemoStreams(
        server.local_url,
        folder / "demo-stream",
        StandaloneDirectory(settings, folder, server.local_url),
    )
    stream = await streams.ready()
    return f"{server.rtmp_url}/{stream.stream_key}"


def _stop_event(duration_s: float | None) -> threading.Event:
    """Set by Ctrl-C, by SIGTERM, or when the time is up."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if duration_s is not None:
        timer = threading.Timer(duration_s, stop.set)
        timer.daemon = True
        timer.start()
    return stop
