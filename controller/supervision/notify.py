"""Tells the service manager how the service fares (sd_notify(3)): datagrams to a unix socket."""

import contextlib
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass

_LONGEST_STATUS = 1000
_MICROSECONDS = 1_000_000


@dataclass(frozen=True, slots=True)
class ManagerAddress:
    """Where the service manager listens, and how often it wants to hear of a live service.

    notify_socket: a path, or `@name` in the abstract namespace; empty without a service manager.
    watchdog_s: it ends the service when it has heard nothing for so long; 0: it does not watch.
    """

    notify_socket: str = ""
    watchdog_s: float = 0.0

    @classmethod
    def of(cls, environment: Mapping[str, str], pid: int) -> "ManagerAddress":
        """From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as `pid` was started with."""
        at = environment.get("NOTIFY_SOCKET", "")
        if not at.startswith(("/", "@")):
            return cls()
        meant = environment.get("WATCHDOG_PID", str(pid)) == str(pid)
        limit = environment.get("WATCHDOG_USEC", "")
        watched = meant and limit.isdecimal()
        return cls(at, int(limit) / _MICROSECONDS if watched else 0.0)


class ServiceManager:
    """One end of the notify socket; without a service manager every call does nothing.

    A message that cannot be sent at once is lost and counted: the service never waits for whoever
    watches it.
    """

    def __init__(self, address: ManagerAddress) -> None:
        self.watchdog_s = address.watchdog_s
        self.lost = 0
        self._socket: socket.socket | None = None
        if address.notify_socket:
            name = address.notify_socket
            self._address = "\0" + name[1:] if name.startswith("@") else name
            self._socket = socket.socket(
                socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            )

    @property
    def listens(self) -> bool:
        """Whether there is a service manager."""
        return self._socket is not None

    def ready(self, status: str) -> None:
        """Started, or reloaded: what the service is for can be had."""
        self._send("READY=1", _status(status))

    def status(self, text: str) -> None:
        """One line for `systemctl status`; never a secret."""
        self._send(_status(text))

    def reloading(self) -> None:
        """The configuration is read anew; `ready` says that it is done."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._send("RELOADING=1", f"MONOTONIC_USEC={now}")

    def stopping(self, status: str) -> None:
        """The end has begun."""
        self._send("STOPPING=1", _status(status))

    def alive(self) -> None:
        """The watchdog may wait once more."""
        self._send("WATCHDOG=1")

    def close(self) -> None:
        """Nothing more will be said."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, *assignments: str) -> None:
        if self._socket is None:
            return
        sent = 0
        with contextlib.suppress(OSError):
            sent = self._socket.sendto("\n".join(assignments).encode(), self._address)
        self.lost += not sent


def _status(text: str) -> str:
    return f"STATUS={' '.join(text.split())[:_LONGEST_STATUS]}"
