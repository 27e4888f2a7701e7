"""`golive dev`."""

import os
from pathlib import Path

import click

from controller.commands.options import (
    config_option,
    data_option,
    fail,
    settings_or_exit,
    start_logging,
)
from controller.dev.command import run_dev
from controller.dev.errors import DevError
from controller.dev.plan import LOOPBACK, DevOptions

_PORT = click.IntRange(1, 65_535)


@click.command
@data_option
@config_option
@click.option(
    "--http-port", type=_PORT, envvar="GOLIVE_HTTP_PORT", default=8080, show_default=True,
    help="Port of the watch page, the API and the media.",
)  # fmt: skip
@click.option(
    "--rtmp-port", type=_PORT, envvar="GOLIVE_RTMP_PORT", default=1935, show_default=True,
    help="Port that encoders push to.",
)  # fmt: skip
@click.option(
    "--https-port", type=_PORT, envvar="GOLIVE_HTTPS_PORT", default=8443, show_default=True,
    help="The same by HTTPS, where GOLIVE_TLS_CERTIFICATE names a certificate.",
)  # fmt: skip
@click.option(
    "--rtmps-port", type=_PORT, envvar="GOLIVE_RTMPS_PORT", default=1936, show_default=True,
    help="Port that encoders push to by RTMPS, where there is a certificate.",
)  # fmt: skip
@click.option(
    "--host", envvar="GOLIVE_HOST", default=LOOPBACK, show_default=True,
    help="Address of all ports; 0.0.0.0 lets other devices of your network in.",
)  # fmt: skip
def dev(
    data_dir: Path | None,
    config_file: Path | None,
    http_port: int,
    rtmp_port: int,
    https_port: int,
    rtmps_port: int,
    host: str,
) -> None:
    """Run everything in the foreground: nginx, the daemon, a live stream to push to.

    Prints an RTMP URL, a stream key and a watch page once it is ready. Ctrl-C stops it.
    """
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    options = DevOptions(
        http_port=http_port,
        rtmp_port=rtmp_port,
        https_port=https_port,
        rtmps_port=rtmps_port,
        host=host,
        config_file=config_file,
    )
    try:
        run_dev(settings.data_dir, options, settings, os.environ)
    except DevError as error:
        fail(error.lines)
