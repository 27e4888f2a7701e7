"""Holds the daemon's listening sockets while it restarts: what arrives meanwhile waits its turn.

The same as systemd's socket units do for `golive serve`.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from controller.dev.errors import PrerequisiteError
from controller.dev.process import ChildSpec

BACKLOG = 4096
"""Connections that wait for the daemon; the kernel's own limit is net.core.somaxconn."""

_LAST_PORT = 65_535
_LISTEN_SETTINGS = ("GOLIVE_HTTP_LISTEN", "GOLIVE_HOOK_LISTEN")


@contextmanager
def held_sockets(daemon: ChildSpec) -> Iterator[ChildSpec]:
    """Open what `daemon` listens on; yields the spec with which it inherits them.

    Raises PrerequisiteError for an address that is taken or is none.
    """
    with ExitStack() as stack:
        env, descriptors = dict(daemon.env), list(daemon.inherits)
        for name in _LISTEN_SETTINGS:
            held = stack.enter_context(_listening(env[name]))
            env[name] = f"fd:{held.fileno()}"
            descriptors.append(held.fileno())
        yield replace(daemon, env=env, inherits=tuple(descriptors))


def _listening(address: str) -> socket.socket:
    path = address.removeprefix("unix:")
    try:
        if path == address:
            return _listening_tcp(address)
        held = socket.socket(socket.AF_UNIX)
        try:
            held.bind(path)
            os.chmod(path, 0o600)
            held.listen(BACKLOG)
        except OSError:
            held.close()
            raise
    except (OSError, ValueError) as error:
        raise PrerequisiteError([f"golive cannot listen on {address}: {error}."]) from error
    return held


def _listening_tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    if int(port) > _LAST_PORT:
        raise ValueError(f"there is no port {port}")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=BACKLOG)
