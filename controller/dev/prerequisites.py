"""What must be on the machine before anything is started."""

import errno
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from controller.dev.errors import PrerequisiteError

RTMP_MODULE = "ngx_rtmp_module.so"
STREAM_MODULE = "ngx_stream_module.so"
MODULE_DIRS = (Path("/usr/lib/nginx/modules"), Path("/usr/lib64/nginx/modules"))
"""Where distributions put modules, when nginx does not tell."""
# An ordinary user's PATH lacks the sbin folders on Debian.
_SBIN = ("/usr/local/nginx/sbin", "/usr/local/sbin", "/usr/sbin", "/sbin")
_VERSION_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class Nginx:
    """The nginx that was found.

    rtmp_module: the module's path; None when it is compiled in.
    """

    binary: Path
    rtmp_module: Path | None


@dataclass(frozen=True, slots=True)
class PortNeed:
    """A TCP port that must be free, and how to choose another."""

    address: str
    port: int
    purpose: str
    option: str


def search_path() -> str:
    """PATH with the folders where nginx usually is."""
    return os.pathsep.join([os.environ.get("PATH", os.defpath), *_SBIN])


def find_nginx(path: str) -> Nginx:
    """nginx and its RTMP module; PrerequisiteError names the package that is missing."""
    binary = shutil.which("nginx", path=path)
    if binary is None:
        raise PrerequisiteError(
            ["nginx is not installed: run `make setup`, or `sudo apt-get install nginx`."]
        )
    options = _compile_options(binary)
    if re.search(r"--add-module=\S*nginx-rtmp", options):
        return Nginx(binary=Path(binary), rtmp_module=None)
    folders = [Path(match) for match in re.findall(r"--modules-path=(\S+)", options)]
    folders += MODULE_DIRS
    for folder in folders:
        if (folder / RTMP_MODULE).is_file():
            return Nginx(binary=Path(binary), rtmp_module=folder / RTMP_MODULE)
    raise PrerequisiteError(
        [
            (
                f"nginx's RTMP module is missing ({folders[0] / RTMP_MODULE}): run `make setup`, "
                "or `sudo apt-get install libnginx-mod-rtmp`."
            )
        ]
    )


def find_stream_module(nginx: Nginx) -> Path | None:
    """The module that RTMPS needs; None when it is compiled in. PrerequisiteError without it."""
    options = _compile_options(str(nginx.binary))
    if re.search(r"--with-stream(?=\s|$)", options):
        return None
    folders = [Path(match) for match in re.findall(r"--modules-path=(\S+)", options)]
    for folder in [*folders, *MODULE_DIRS]:
        if (folder / STREAM_MODULE).is_file():
            return folder / STREAM_MODULE
    raise PrerequisiteError(
        [
            (
                f"nginx's stream module, which RTMPS needs, is missing ({STREAM_MODULE}): run "
                "`sudo apt-get install libnginx-mod-stream`."
            )
        ]
    )


def find_wrappers(path: str) -> tuple[Path, Path]:
    """setpriv and prlimit, both of util-linux, which tie children to their supervisor."""
    found = [shutil.which(name, path=path) for name in ("setpriv", "prlimit")]
    setpriv, prlimit = found
    if setpriv is None or prlimit is None:
        raise PrerequisiteError(
            ["setpriv and prlimit are missing: run `sudo apt-get install util-linux`."]
        )
    return Path(setpriv), Path(prlimit)


def check_readable(file: Path, setting: str) -> None:
    """PrerequisiteError unless this user may read the file."""
    if not (file.is_file() and os.access(file, os.R_OK)):
        name = f"GOLIVE_{setting.upper()}"
        raise PrerequisiteError([f"{file} cannot be read: let {name} name a PEM file of yours."])


def check_ports(needs: Sequence[PortNeed]) -> None:
    """Every port can be bound now, else PrerequisiteError with a line for each that cannot."""
    problems = [problem for need in needs if (problem := _port_problem(need)) is not None]
    if problems:
        raise PrerequisiteError(problems)


def _compile_options(binary: str) -> str:
    try:
        finished = subprocess.run(
            [binary, "-V"],
            capture_output=True,
            text=True,
            timeout=_VERSION_TIMEOUT_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise PrerequisiteError(
            [f"{binary} -V failed ({error}): reinstall nginx with apt-get."]
        ) from error
    return finished.stderr


def _port_problem(need: PortNeed) -> str | None:
    family = socket.AF_INET6 if ":" in need.address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As nginx does: connections in TIME_WAIT are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((need.address, need.port))
            probe.listen(1)
        except OSError as error:
            return _explain(need, error)
    return None


def _explain(need: PortNeed, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {need.port} ({need.purpose}) is in use{_owner(need.port)}: "
            f"stop it, or choose another with {need.option}."
        )
    if error.errno == errno.EACCES:
        return (
            f"Port {need.port} ({need.purpose}) is reserved for root: "
            f"choose one from 1024 up with {need.option}."
        )
    return (
        f"{need.address} port {need.port} ({need.purpose}) cannot be used ({error.strerror}): "
        f"choose another address with --host or port with {need.option}."
    )


def _owner(port: int) -> str:
    """Who listens there, when the system tells."""
    try:
        for connection in psutil.net_connections(kind="tcp"):
            if (
                connection.status == psutil.CONN_LISTEN
                and connection.laddr
                and connection.laddr.port == port
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        return ""
    return ""
