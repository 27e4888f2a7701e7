"""What systemd does for a service, done by a test: a notify socket, and sockets handed over."""

import contextlib
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.processes import Running, wait_until

# The number of the process is known when it runs, and descriptors begin at 3.
_EXECUTE = """
import os, sys
held = [os.dup(int(number)) for number in sys.argv[1].split(",") if number]
high = [os.dup2(one, 100 + at) for at, one in enumerate(held)]
for at, one in enumerate(high):
    os.dup2(one, 3 + at)
    os.close(one)
os.closerange(3 + len(high), 200)
os.environ["LISTEN_PID"] = os.environ["WATCHDOG_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
"""


class NotifySocket:
    """Listens as a service manager does; keeps every message that came, in order."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.messages: list[dict[str, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._came = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def count(self, name: str) -> int:
        """How many messages had that variable."""
        return sum(name in message for message in [*self.messages])

    def last(self, name: str) -> str:
        """Its last value; empty when it has not come."""
        values = [message[name] for message in [*self.messages] if name in message]
        return values[-1] if values else ""

    def wait(self, name: str, value: str = "", count: int = 1, timeout_s: float = 60.0) -> None:
        """Until it has come that often, with `value` somewhere in its last value."""
        wait_until(
            lambda: self.count(name) >= count and value in self.last(name),
            timeout_s,
            f"{count} times {name} with {value!r}: {self.messages[-5:]}",
        )

    def comes(self, name: str, within_s: float) -> bool:
        """Whether one more comes in that time."""
        before = self.count(name)
        deadline_s = time.monotonic() + within_s
        while self.count(name) == before and time.monotonic() < deadline_s:
            self._came.wait(0.05)
            self._came.clear()
        return self.count(name) > before

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(10)
        self._socket.close()

    def _read(self) -> None:
        while datagram := self._socket.recv(65_536):
            pairs = (line.split("=", 1) for line in datagram.decode().splitlines())
            self.messages.append(dict(pairs))
            self._came.set()


class ServiceManager:
    """Starts one command with what systemd would give it.

    sockets: listening sockets, by the names of their units; they stay open here.
    """

    def __init__(
        self, folder: Path, sockets: Mapping[str, socket.socket], watchdog_s: float = 0.0
    ) -> None:
        self.notify = NotifySocket(folder / "notify.sock")
        self._sockets = dict(sockets)
        self._watchdog_s = watchdog_s

    def start(self, arguments: Sequence[str], environment: Mapping[str, str]) -> Running:
        """A Python process with those arguments."""
        variables = {"NOTIFY_SOCKET": str(self.notify.path)}
        if self._sockets:
            variables["LISTEN_FDS"] = str(len(self._sockets))
            variables["LISTEN_FDNAMES"] = ":".join(self._sockets)
        if self._watchdog_s:
            variables["WATCHDOG_USEC"] = str(int(self._watchdog_s * 1e6))
        numbers = [one.fileno() for one in self._sockets.values()]
        return Running(
            [sys.executable, "-c", _EXECUTE, ",".join(map(str, numbers)), *arguments],
            {**environment, **variables},
            inherits=numbers,
        )


@contextlib.contextmanager
def service_manager(
    folder: Path, sockets: Mapping[str, socket.socket], watchdog_s: float = 0.0
) -> Iterator[ServiceManager]:
    """For the length of a block."""
    manager = ServiceManager(folder, sockets, watchdog_s)
    try:
        yield manager
    finally:
        manager.notify.close()


@contextlib.contextmanager
def unix_listeners(folder: Path, *names: str) -> Iterator[dict[str, socket.socket]]:
    """A listening socket `NAME.sock` in the folder for each name."""
    with contextlib.ExitStack() as stack:
        sockets = {}
        for name in names:
            sockets[name] = stack.enter_context(socket.socket(socket.AF_UNIX))
            sockets[name].bind(str(folder / f"{name}.sock"))
            sockets[name].listen(128)
        yield sockets


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment without golive's settings, and these instead."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")}
    return {**kept, **settings}
