"""`golive check`."""

import asyncio
import sys
from pathlib import Path

import click

from controller.checking.findings import Level
from controller.checking.machine import checks_for
from controller.checking.report import report_json, report_lines, worst
from controller.checking.runner import run_checks
from controller.commands.options import (
    EXIT_FAILED,
    config_option,
    data_option,
    settings_or_exit,
    start_logging,
)


@click.command
@data_option
@config_option
@click.option(
    "--nginx", "nginx_configs", multiple=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="An nginx configuration that stands in front of golive; may be given several times.  "
    "[default: of the running nginx, and of this data folder]",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document instead of lines.")
@click.option("--strict", is_flag=True, help="A warning counts as a failure.")
def check(
    data_dir: Path | None,
    config_file: Path | None,
    nginx_configs: tuple[Path, ...],
    *,
    as_json: bool,
    strict: bool,
) -> None:
    """Look at the configuration and the machine; each line says what to do.

    Starts nothing. In a bucket it writes an object and removes it; in Redis a key that lives for
    seconds. Ends with status 0, with 1 when something fails, with 2 for settings that are wrong.
    """
    settings = settings_or_exit(config_file, data_dir)
    start_logging(settings)
    findings = asyncio.run(run_checks(checks_for(settings, nginx_configs)))
    if as_json:
        click.echo(report_json(findings))
    else:
        for line in report_lines(findings):
            click.echo(line)
    fatal = {Level.FAIL, Level.WARN} if strict else {Level.FAIL}
    sys.exit(EXIT_FAILED if worst(findings) in fatal else 0)
