"""What several sub-commands share: options, and how a failure is told."""

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click
from pydantic import ValidationError

from controller.logs import configure_logging
from controller.settings import Settings, load_settings

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
    overrides = {} if data_dir is None else {"data_dir": data_dir}
    try:
        return load_settings(config_file, **overrides)
    except ValidationError as error:
        fail([_problem_line(dict(problem)) for problem in error.errors()], EXIT_USAGE)
    except ValueError as error:
        fail([f"{config_file}: {error}"], EXIT_USAGE)


def _problem_line(problem: Mapping[str, Any]) -> str:
    """Which setting and what is wrong with it; its value may be a secret and is left out."""
    return f"{'.'.join(map(str, problem['loc'])) or 'settings'}: {problem['msg']}"


def start_logging(settings: Settings) -> None:
    """Log to standard error as the settings say; standard output is for results."""
    configure_logging(settings.log_format, settings.log_level, sys.stderr)


def fail(lines: Sequence[str], status: int = EXIT_FAILED) -> NoReturn:
    """Tell why, one line per problem, and end with `status`."""
    command = click.get_current_context().command_path
    for line in lines:
        click.echo(f"{command}: {line}", err=True)
    sys.exit(status)
