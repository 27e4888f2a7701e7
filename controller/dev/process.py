"""One child process: a session of its own, tied to its parent's life, stopped in time."""

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_READ_BYTES = 65_536
_MAX_LINE_BYTES = 16_384
_KILL_TIMEOUT_S = 5.0

OutputLine = Callable[[str, str], None]
"""Called with the child's name and each line that it writes to standard error."""


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """What to run.

    stop_timeout_s: how long the child may take after SIGTERM before it is killed.
    relays_output: its standard error comes through `OutputLine`; else it has the parent's.
    stack_bytes: its stack limit; None leaves the parent's.
    inherits: file descriptors that it gets under the same numbers.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    stop_timeout_s: float
    relays_output: bool = False
    stack_bytes: int | None = None
    inherits: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Wrappers:
    """Tools of util-linux that prepare a process before it becomes the child.

    In Python the same would need code between fork and exec, which is not safe with threads.
    """

    setpriv: Path
    prlimit: Path

    def around(self, spec: ChildSpec) -> list[str]:
        """The command line; SIGTERM reaches the child when its parent is killed."""
        argv = [str(self.setpriv), "--pdeathsig", "TERM", "--"]
        if spec.stack_bytes is not None:
            argv += [str(self.prlimit), f"--stack={spec.stack_bytes}:", "--"]
        return [*argv, *spec.argv]


class ChildProcess:
    """One run of a ChildSpec; made anew for each start."""

    def __init__(self, spec: ChildSpec, wrappers: Wrappers, on_line: OutputLine) -> None:
        self._spec = spec
        self._wrappers = wrappers
        self._on_line = on_line
        self._process: Process | None = None
        self._relay: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Process id and, since the child leads a session, process group id."""
        return self._started.pid

    @property
    def running(self) -> bool:
        """Started and not yet ended."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        """Start it. A terminal's Ctrl-C does not reach it: its supervisor decides."""
        if not self._spec.relays_output:
            self._process = await self._execute(None, None)
            return
        # A pipe of our own: with asyncio's, an orphaned worker that keeps it open would hide
        # its master's end from wait().
        reading, writing = os.pipe()
        try:
            reader = await _stream(reading)
            self._process = await self._execute(DEVNULL, writing)
        finally:
            os.close(writing)
        self._relay = asyncio.create_task(
            self._relay_lines(reader), name=f"output of {self._spec.name}"
        )

    async def wait(self) -> int:
        """Wait for its end, then end what it left behind; returns the exit status."""
        status = await self._started.wait()
        # nginx's workers and the daemon's sessions are in its group; a crash orphans them,
        # and an orphaned worker would keep the port.
        self._signal_group(signal.SIGKILL)
        if self._relay is not None:
            await asyncio.wait([self._relay], timeout=_KILL_TIMEOUT_S)
            self._relay.cancel()
        return status

    async def stop(self) -> int:
        """SIGTERM, a bounded wait, SIGKILL to the group; returns the exit status."""
        if self.running:
            self._started.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._spec.stop_timeout_s):
                    await self._started.wait()
        self.kill()
        return await self.wait()

    def kill(self) -> None:
        """End it and its group at once."""
        if self._process is not None:
            self._signal_group(signal.SIGKILL)

    async def _execute(self, stdout: int | None, stderr: int | None) -> Process:
        return await asyncio.create_subprocess_exec(
            *self._wrappers.around(self._spec),
            env=dict(self._spec.env),
            stdin=DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            pass_fds=self._spec.inherits,
        )

    @property
    def _started(self) -> Process:
        if self._process is None:
            raise RuntimeError(f"{self._spec.name} was not started")
        return self._process

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._started.pid, number)

    async def _relay_lines(self, stream: asyncio.StreamReader) -> None:
        pending = b""
        while chunk := await stream.read(_READ_BYTES):
            *lines, pending = (pending + chunk).split(b"\n")
            if len(pending) > _MAX_LINE_BYTES:
                lines, pending = [*lines, pending], b""
            self._emit(lines)
        self._emit([pending])

    def _emit(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            if text := line[:_MAX_LINE_BYTES].decode("utf-8", "replace").strip():
                self._on_line(self._spec.name, text)


async def _stream(descriptor: int) -> asyncio.StreamReader:
    """The reading end of a pipe, closed at its end."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(descriptor, "rb", buffering=0)
    )
    return reader


async def run_to_end(child: ChildProcess, timeout_s: float) -> int:
    """Run a child that ends by itself; killed, with TimeoutError raised, when it does not."""
    await child.start()
    try:
        async with asyncio.timeout(timeout_s):
            return await child.wait()
    finally:
        if child.running:
            child.kill()
            await child.wait()
