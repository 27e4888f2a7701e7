"""Where `golive dev` keeps what nginx and the daemon need at run time."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.dev.errors import PrerequisiteError

MAX_SOCKET_PATH_BYTES = 107
"""sizeof(sockaddr_un.sun_path) less the closing zero (unix(7))."""

_SOCKET_NAMES = ("daemon.sock", "hooks.sock", "nginx-control.sock", "players.sock")
# nginx takes `:` in a socket's path for the start of the URI, and has no escape for it.
_SOCKET_SAFE = re.compile(r"[A-Za-z0-9_./@+-]+")
# nginx expands `$` in paths, and has no escape for it either.
_NOT_FOR_NGINX = re.compile(r"[$\x00-\x1f]")


@dataclass(frozen=True, slots=True)
class DataLayout:
    """Paths below one data folder; sockets elsewhere when that folder's path is too long.

    data_dir: absolute, exists.
    socket_dir: `<data>/run`, or a private temporary folder.
    own_spool_dir: where publications are recorded when that is not below the data folder.
    """

    data_dir: Path
    socket_dir: Path
    own_spool_dir: Path | None = None

    @property
    def run_dir(self) -> Path:
        """Rendered configurations, pid files, and as a rule the sockets."""
        return self.data_dir / "run"

    @property
    def logs_dir(self) -> Path:
        """nginx's access log."""
        return self.data_dir / "logs"

    @property
    def temp_dir(self) -> Path:
        """nginx's buffers of large bodies."""
        return self.data_dir / "tmp"

    @property
    def objects_dir(self) -> Path:
        """The local object store; recordings are in its `vods` folder."""
        return self.data_dir / "objects"

    @property
    def spool_dir(self) -> Path:
        """What encoders send, as nginx-rtmp writes it down."""
        return self.own_spool_dir or self.data_dir / "spool"

    @property
    def lock_file(self) -> Path:
        """Held while a `golive dev` runs on this folder."""
        return lock_file(self.data_dir)

    @property
    def state_file(self) -> Path:
        """Addresses of the running server, for `golive demo`; no secret in it."""
        return state_file(self.data_dir)

    @property
    def daemon_socket(self) -> Path:
        """Where the daemon answers HTTP."""
        return self.socket_dir / _SOCKET_NAMES[0]

    @property
    def hook_socket(self) -> Path:
        """Where nginx-rtmp's hooks arrive."""
        return self.socket_dir / _SOCKET_NAMES[1]

    @property
    def control_socket(self) -> Path:
        """nginx-rtmp's /stat and /control."""
        return self.socket_dir / _SOCKET_NAMES[2]

    @property
    def player_socket(self) -> Path:
        """Where nginx tells the daemon what players say of their playback."""
        return self.socket_dir / _SOCKET_NAMES[3]

    def remove_sockets(self) -> None:
        """Delete what a killed predecessor left; the caller holds the lock."""
        for name in _SOCKET_NAMES:
            (self.socket_dir / name).unlink(missing_ok=True)


def lock_file(data_dir: Path) -> Path:
    """The lock of a data folder, known before the rest of the layout is made."""
    return data_dir / "dev.lock"


def state_file(data_dir: Path) -> Path:
    """The state file of a data folder, for those who only look."""
    return data_dir / "run" / "dev.json"


def prepare_data_dir(data_dir: Path) -> Path:
    """Make the data folder, closed to other users; returns its absolute path."""
    absolute = data_dir.expanduser().resolve()
    if _NOT_FOR_NGINX.search(str(absolute)):
        raise PrerequisiteError(
            [f"nginx cannot use the path {str(absolute)!r}: choose another folder with --data."]
        )
    try:
        absolute.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise PrerequisiteError(
            [f"{absolute} cannot be made ({error.strerror}): choose another with --data."]
        ) from error
    return absolute


@contextmanager
def opened_layout(data_dir: Path, spool_dir: Path | None = None) -> Iterator[DataLayout]:
    """The folders below `data_dir`, and the spool where it is elsewhere, made; run-time files are
    removed again at the end."""
    layout = DataLayout(data_dir, data_dir / "run", spool_dir)
    private: Path | None = None
    if not _fits(layout):
        private = Path(tempfile.mkdtemp(prefix="golive-"))
        layout = DataLayout(data_dir, private, spool_dir)
    try:
        for folder in (
            layout.run_dir,
            layout.logs_dir,
            layout.temp_dir,
            layout.objects_dir / "vods",
            layout.data_dir / "live",
            layout.spool_dir,
        ):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        layout.remove_sockets()
        yield layout
    finally:
        layout.remove_sockets()
        layout.state_file.unlink(missing_ok=True)
        if private is not None:
            shutil.rmtree(private, ignore_errors=True)


def _fits(layout: DataLayout) -> bool:
    longest = max((str(layout.socket_dir / name) for name in _SOCKET_NAMES), key=len)
    return (
        len(longest.encode()) <= MAX_SOCKET_PATH_BYTES
        and _SOCKET_SAFE.fullmatch(longest) is not None
    )
