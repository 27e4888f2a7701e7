"""What several sub-commands share: options, and how a failure is told."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from controller.configuration.loading import load_configuration
from controller.configuration.problems import RefusedConfiguration
from controller.logs import configure_logging
from controller.settings import Settings

_Command = TypeVar("_Command", bound=Callable[..., Any])

EXIT_FAILED = 1
EXIT_USAGE = 2


def config_option(command: _Command) -> _Command:
    """`--config FILE`: settings below the environment's."""
    return click.option(
        "--config",
        "config_file",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        envvar="GOLIVE_CONFIG",
        help="Settings file (TOML); environment variables GOLIVE_… have precedence.",
    )(command)


def data_option(command: _Command) -> _Command:
    """`--data DIR`: the data folder, before GOLIVE_DATA_DIR."""
    return click.option(
        "--data",
        "data_dir",
        type=click.Path(file_okay=False, path_type=Path),
        help="Folder of everything that golive keeps.  [default: GOLIVE_DATA_DIR, else ./var]",
    )(command)


def settings_or_exit(config_file: Path | None, data_dir: Path | None) -> Settings:
    """The settings; ends the command with status 2 and a line for each that is wrong."""
    try:
        return read_settings(config_file, data_dir)
    except RefusedConfiguration as error:
        fail(error.lines, EXIT_USAGE)


def read_settings(config_file: Path | None, data_dir: Path | None) -> Settings:
    """The settings; RefusedConfiguration with a line for each that is wrong."""
    overrides: dict[str, Any] = {} if data_dir is None else {"data_dir": data_dir}
    return load_configuration(config_file, os.environ, **overrides)


def start_logging(settings: Settings) -> None:
    """Log to standard error as the settings say; standard output is for results."""
    configure_logging(settings.log_format, settings.log_level, sys.stderr)


def fail(lines: Sequence[str], status: int = EXIT_FAILED) -> NoReturn:
    """Tell why, one line per problem, and end with `status`."""
    command = click.get_current_context().command_path
    for line in lines:
        click.echo(f"{command}: {line}", err=True)
    sys.exit(status)
