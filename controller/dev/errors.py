"""What stops `golive dev` and `golive demo`, each told in one line with what to do.

DevError
├── PrerequisiteError   something must be installed, freed or chosen differently first
├── AlreadyRunningError another `golive dev` holds the data folder
├── NotRunningError     nothing runs on this data folder
├── ChildFailedError    nginx or the daemon ended and will not stay up
└── DemoError           the demo stream could not be made ready or pushed to
"""

from collections.abc import Sequence


class DevError(Exception):
    """A sentence for the person at the terminal; never a traceback."""

    @property
    def lines(self) -> tuple[str, ...]:
        """One line per problem."""
        return tuple(str(self).splitlines())


class PrerequisiteError(DevError):
    """The machine or the command line is not ready; every problem found is listed."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))


class AlreadyRunningError(DevError):
    """Another `golive dev` runs on this data folder."""


class NotRunningError(DevError):
    """No `golive dev` runs on this data folder."""


class ChildFailedError(DevError):
    """A child process ended, or did not become ready, and restarting it is no use."""


class DemoError(DevError):
    """The demo stream could not be made, found or pushed to."""
