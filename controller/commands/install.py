"""`golive install` and `golive uninstall`."""

import os
import sys
from importlib.metadata import version
from pathlib import Path

import click

from controller.commands.options import EXIT_USAGE, fail
from controller.configuration.problems import RefusedConfiguration
from controller.dev.errors import PrerequisiteError
from controller.installation.errors import InstallationError
from controller.installation.install import Installation, Release
from controller.installation.places import Root
from controller.installation.system import System

_RELEASES = "releases"

_root_option = click.option(
    "--root",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("/"),
    show_default=True,
    help="The system to install into: an image's folder, for one that does not run.",
)


@click.command
@_root_option
@click.option(
    "--program",
    type=click.Path(path_type=Path),
    help="The golive that the units run, as that system names it.  [default: this one]",
)
def install(folder: Path, program: Path | None) -> None:
    """Put golive into this system: user, folders, settings file, units, nginx's configuration.

    Safe to repeat: the second time nothing changes. Files that were edited stay as they are. After
    an upgrade it brings the database to the new release and restarts the daemon; encoders stay
    connected.
    """
    _as_root()
    root = Root(folder)
    release = Release(_this_release(), program or _this_program())
    try:
        Installation(root, System(root), click.echo).install(release)
    except (InstallationError, PrerequisiteError) as error:
        fail(str(error).splitlines())
    except RefusedConfiguration as error:
        fail(error.lines, EXIT_USAGE)


@click.command
@_root_option
def uninstall(folder: Path) -> None:
    """Take golive out of this system. The settings file, credentials and all data stay."""
    _as_root()
    root = Root(folder)
    try:
        Installation(root, System(root), click.echo).uninstall()
    except InstallationError as error:
        fail(str(error).splitlines())
    except RefusedConfiguration as error:
        fail(error.lines, EXIT_USAGE)


def _as_root() -> None:
    if os.geteuid() != 0:
        fail(["only root may do this: use sudo"])


def _this_release() -> str:
    """Its version; with what tells builds apart where each has a folder of its own."""
    prefix = Path(sys.prefix)
    return prefix.name if prefix.parent.name == _RELEASES else version("golive")


def _this_program() -> Path:
    """The command beside this interpreter; by the link to the current release where there is one,
    so that units need not change with each."""
    prefix = Path(sys.prefix)
    if prefix.parent.name == _RELEASES:
        current = prefix.parent.parent / "current"
        if current.is_symlink() and current.resolve() == prefix.resolve():
            return current / "bin" / "golive"
    return prefix / "bin" / "golive"
