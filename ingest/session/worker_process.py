"""The daemon's end of a pull worker's process: start it, talk to it, end it.

One spare is kept warm, so that an encoder does not wait for an interpreter to start.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator

import msgspec

from ingest.session.messages import FromWorker, ToWorker, decode_from_worker, encode

_LINE_LIMIT = 1 << 16
_KILL_WAIT_S = 5.0
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")


class WorkerProcess:
    """A running worker. Its end is the end of `messages`."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def spawn(cls) -> "WorkerProcess":
        """Start an idle worker; it waits for its StartSession."""
        return cls(*await spawn_module("ingest.session.worker"))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not been reaped."""
        return self._process.returncode is None

    def tell(self, message: ToWorker) -> None:
        """Send a message; one that can no longer arrive is dropped, `messages` ends instead."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def messages(self) -> AsyncIterator[FromWorker]:
        """What the worker says, until its socket closes."""
        with contextlib.suppress(ConnectionError):
            while line := await self._reader.readline():
                if not line.endswith(b"\n"):
                    return  # killed while it wrote
                yield _decoded(line)

    async def end(self) -> int:
        """Make sure that it is gone; answers its exit status (negative: the signal)."""
        self._writer.close()
        try:
            async with asyncio.timeout(_KILL_WAIT_S):
                return await self._process.wait()
        except TimeoutError:
            self.kill()
            return await self._process.wait()

    def kill(self) -> None:
        """SIGKILL; the journal has all that it made."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()


async def spawn_module(
    module: str,
) -> tuple[asyncio.subprocess.Process, asyncio.StreamReader, asyncio.StreamWriter]:
    """`python -m module FD`, and our end of the socket pair whose other end is FD.

    The environment is a short list: settings, and so secrets, stay in the daemon.
    """
    ours, theirs = socket.socketpair()
    environment = {k: os.environ[k] for k in _KEPT_VARIABLES if k in os.environ}
    try:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            str(theirs.fileno()),
            pass_fds=[theirs.fileno()],
            stdin=asyncio.subprocess.DEVNULL,
            env=environment,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    ours.setblocking(False)
    reader, writer = await asyncio.open_unix_connection(sock=ours, limit=_LINE_LIMIT)
    return process, reader, writer


def _decoded(line: bytes) -> FromWorker:
    try:
        return decode_from_worker(line)
    except msgspec.DecodeError as error:
        raise ConnectionError("the worker wrote something that is no message") from error


class WorkerPool:
    """Hands out warm workers."""

    def __init__(self) -> None:
        self._spare: asyncio.Task[WorkerProcess] | None = None
        self._closed = False

    def warm(self) -> None:
        """Start the spare in the background."""
        if self._spare is None and not self._closed:
            self._spare = asyncio.create_task(WorkerProcess.spawn(), name="spare-worker")

    async def take(self) -> WorkerProcess:
        """A worker that has not been used; another one starts warming."""
        spare = self._spare or asyncio.create_task(WorkerProcess.spawn(), name="spare-worker")
        self._spare = None
        try:
            worker = await asyncio.shield(spare)
        except asyncio.CancelledError:
            self._spare = self._spare or spare
            raise
        if not worker.alive:  # the spare died while it waited
            await worker.end()
            worker = await WorkerProcess.spawn()
        self.warm()
        return worker

    async def close(self) -> None:
        """End the spare."""
        self._closed = True
        if self._spare is not None:
            worker = await self._spare
            worker.kill()
            await worker.end()
