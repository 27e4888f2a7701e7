"""Finds the `golive dev` that runs on a data folder."""

from pathlib import Path

from controller.dev.console import RunningServer
from controller.dev.errors import NotRunningError
from controller.dev.layout import state_file
from controller.dev.lock import is_locked


def running_server(data_dir: Path) -> RunningServer:
    """Addresses of the server on `data_dir`; NotRunningError when there is none yet."""
    folder = data_dir.expanduser().resolve()
    if is_locked(folder):
        try:
            return RunningServer.from_json(state_file(folder).read_text("utf-8"))
        except (OSError, ValueError, TypeError):
            raise NotRunningError(
                f"golive dev on {folder} is not ready yet: try again in a moment."
            ) from None
    raise NotRunningError(
        f"Nothing runs on {folder}: start `golive dev` first, or name its folder with --data."
    )
