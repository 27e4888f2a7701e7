"""Child processes of tests: started, watched by conditions instead of sleeps, ended for certain."""

import contextlib
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psutil


def free_ports(count: int) -> list[int]:
    """Ports of loopback that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def wait_until(condition: Callable[[], bool], timeout_s: float, what: str) -> None:
    """Poll until the condition holds; AssertionError naming `what` when it does not in time."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise AssertionError(f"not within {timeout_s} s: {what}")
        time.sleep(0.02)


def port_is_free(port: int) -> bool:
    """Whether the port could be bound on loopback."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Running:
    """A started process; what it writes is collected, line by line, and kept."""

    def __init__(
        self,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path | None = None,
        inherits: Sequence[int] = (),
    ):
        self.process = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            pass_fds=inherits,
        )
        self.out: list[str] = []
        self.err: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, args=(stream, lines), daemon=True)
            for stream, lines in (
                (self.process.stdout, self.out),
                (self.process.stderr, self.err),
            )
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def text(self) -> str:
        """Everything it has written to either stream."""
        return "".join([*self.out, *self.err])

    def wait_for(self, needle: str, timeout_s: float = 60.0) -> str:
        """The first line with `needle` in it; AssertionError with all output when it ends first."""

        def found() -> list[str]:
            return [line for line in [*self.out, *self.err] if needle in line]

        def done() -> bool:
            return bool(found()) or self.process.poll() is not None

        wait_until(done, timeout_s, f"{needle!r} in the output:\n{self.text}")
        if not found():
            self.join_readers()
        lines = found()
        assert lines, f"ended with {self.process.returncode} without {needle!r}:\n{self.text}"
        return lines[0]

    def descendants(self) -> list[psutil.Process]:
        """Children, grandchildren and so on."""
        try:
            return psutil.Process(self.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def stop(self, number: signal.Signals = signal.SIGTERM, timeout_s: float = 40.0) -> int:
        """Send the signal and wait; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait(timeout_s)

    def wait(self, timeout_s: float = 40.0) -> int:
        """The exit status; killed and failed when it does not end in time."""
        try:
            status = self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not end within {timeout_s} s:\n{self.text}") from None
        self.join_readers()
        return status

    def kill(self) -> None:
        """End it and all that it started, whatever state they are in."""
        family = self.descendants()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        for one in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.wait(10)
        self.join_readers()

    def join_readers(self) -> None:
        for reader in self._readers:
            reader.join(5)

    @staticmethod
    def _read(stream, lines: list[str]) -> None:
        with stream:
            while line := stream.readline():
                lines.append(line)


@contextlib.contextmanager
def running(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    inherits: Sequence[int] = (),
) -> Iterator[Running]:
    """A Running that is ended with the block."""
    process = Running(argv, os.environ if env is None else env, cwd, inherits)
    try:
        yield process
    finally:
        process.kill()


def assert_all_gone(processes: Sequence[psutil.Process], timeout_s: float = 5.0) -> None:
    """None of them is left, zombies not counted."""

    wait_until(lambda: not any(map(is_alive, processes)), timeout_s, f"gone: {processes}")


def is_alive(process: psutil.Process) -> bool:
    """Running; a zombie that its new parent has not yet collected is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
