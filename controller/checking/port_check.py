"""Whether the addresses that golive needs are free, or held by whom they are meant for."""

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.checking.findings import Finding, fail, ok, warn

SUBJECT = "port"


@dataclass(frozen=True, slots=True)
class PortWanted:
    """An address, who may hold it, and where to choose another."""

    address: str
    purpose: str
    holders: tuple[str, ...]
    setting: str


class PortCheck:
    """`listeners` tells the names of those who listen on a TCP port."""

    def __init__(self, wanted: Sequence[PortWanted], listeners: Callable[[int], list[str]]) -> None:
        self._wanted = wanted
        self._listeners = listeners

    async def run(self) -> Sequence[Finding]:
        """A finding for each address."""
        return [await asyncio.to_thread(self._look_at, wanted) for wanted in self._wanted]

    def _look_at(self, wanted: PortWanted) -> Finding:
        if wanted.address.startswith("unix:"):
            return _unix(wanted)
        host, _, port = wanted.address.rpartition(":")
        if not port.isdigit():
            return fail(
                SUBJECT,
                f"{wanted.setting} is no address",
                f"Set {wanted.setting} to host:port or unix:/path.",
            )
        error = _bind_error(host.strip("[]"), int(port))
        if error is None:
            return ok(SUBJECT, f"{wanted.address} ({wanted.purpose}) is free")
        if error != errno.EADDRINUSE:
            return fail(
                SUBJECT,
                f"{wanted.address} ({wanted.purpose}) cannot be listened on "
                f"({errno.errorcode.get(error, 'unknown address')})",
                f"Choose another address with {wanted.setting}.",
            )
        return self._taken(wanted, int(port))

    def _taken(self, wanted: PortWanted, port: int) -> Finding:
        names = self._listeners(port)
        if names and all(name.startswith(wanted.holders) for name in names if name):
            if "" not in names:
                return ok(SUBJECT, f"{wanted.address} ({wanted.purpose}) is held by {names[0]}")
            names = []
        if not names:
            return warn(
                SUBJECT,
                f"{wanted.address} ({wanted.purpose}) is held by somebody this user may not see",
                "Run golive check as root, or as the user that golive runs as.",
            )
        return fail(
            SUBJECT,
            f"{wanted.address} ({wanted.purpose}) is taken by {names[0]}",
            f"Stop it, or choose another address with {wanted.setting}.",
        )


def _unix(wanted: PortWanted) -> Finding:
    path = Path(wanted.address.removeprefix("unix:"))
    if path.exists() and not path.is_socket():
        return fail(
            SUBJECT,
            f"{path} ({wanted.purpose}) is no socket",
            f"Remove it, or choose another path with {wanted.setting}.",
        )
    return ok(SUBJECT, f"{path} ({wanted.purpose}) may be a socket")


def _bind_error(host: str, port: int) -> int | None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EINVAL
    return None
