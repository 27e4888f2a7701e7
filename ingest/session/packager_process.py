"""The daemon's end of the shared packager processes: who serves which session."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator

import msgspec
import structlog

from ingest.session.messages import (
    FromWorker,
    JournalGrew,
    StopSession,
    ToStream,
    ToWorker,
    decode_from_stream,
    encode,
)
from ingest.session.nursery import ForkedProcess, PackagerNursery
from ingest.session.worker_process import spawn_module

_QUEUED_MESSAGES = 256
_STOP_WAIT_S = 3.0
_KILL_WAIT_S = 5.0


class PackagerLease:
    """One session's place in a packager. Its end is the end of `messages`."""

    def __init__(self, session: str, packager: "PackagerProcess") -> None:
        self.session = session
        self._packager = packager
        self._queue: asyncio.Queue[FromWorker | None] = asyncio.Queue(_QUEUED_MESSAGES)
        self._over = False

    @property
    def pid(self) -> int:
        """Process id of the packager."""
        return self._packager.pid

    def tell(self, message: ToWorker) -> None:
        """Send a message; one that can no longer arrive is dropped, `messages` ends instead."""
        self._packager.tell(ToStream(session=self.session, message=message))

    async def messages(self) -> AsyncIterator[FromWorker]:
        """What the packager says of this session, until the session or the packager ends."""
        while (message := await self._queue.get()) is not None:
            yield message
            if self._over and self._queue.empty():
                return

    async def end(self) -> int:
        """Give the place back; answers 0, or 1 when the packager has died."""
        self._over = True
        self._packager.release(self)
        return 0 if self._packager.alive else 1

    def kill(self) -> None:
        """End the session; a packager that does not obey is killed, its other sessions resume."""
        self.tell(StopSession())
        self._packager.expect_end(self, _STOP_WAIT_S)

    def receive(self, message: FromWorker | None) -> None:
        """Take a message; None is the end. A wake-up that does not fit is left out."""
        if message is None:
            self._over = True
        elif isinstance(message, JournalGrew) and self._queue.full():
            return
        while self._queue.full():
            self._queue.get_nowait()  # a reader that far behind wants the newest state only
        self._queue.put_nowait(message)

    @property
    def over(self) -> bool:
        """Whether the place was given back or the packager has ended."""
        return self._over


class PackagerProcess:
    """A running packager and its leases."""

    def __init__(
        self,
        process: asyncio.subprocess.Process | ForkedProcess,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self._leases: dict[str, PackagerLease] = {}
        self._reading = asyncio.create_task(self._read(), name=f"packager-{process.pid}")
        self._log = structlog.get_logger()

    @classmethod
    async def spawn(cls, nursery: PackagerNursery | None = None) -> "PackagerProcess":
        """Start a packager, out of the nursery where there is one."""
        if nursery is not None:
            try:
                return cls(*await nursery.spawn())
            except ConnectionError as error:
                structlog.get_logger().warning("nursery_lost", error=str(error.__cause__))
        return cls(*await spawn_module("ingest.session.packager"))

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can take sessions."""
        return self._process.returncode is None and not self._reading.done()

    @property
    def load(self) -> int:
        """Sessions that it serves."""
        return len(self._leases)

    def lease(self, session: str) -> PackagerLease:
        """A place for `session`, a name that was never used before."""
        lease = self._leases[session] = PackagerLease(session, self)
        return lease

    def release(self, lease: PackagerLease) -> None:
        """Take a place back."""
        self._leases.pop(lease.session, None)

    def tell(self, message: ToStream) -> None:
        """Send a message, if anybody is there."""
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    def expect_end(self, lease: PackagerLease, timeout_s: float) -> None:
        """Kill the process unless the lease is over in time."""
        loop = asyncio.get_running_loop()
        loop.call_later(timeout_s, lambda: None if lease.over else self._kill())

    async def close(self) -> None:
        """End the process; its sessions resume from their journals."""
        self._writer.close()
        try:
            async with asyncio.timeout(_KILL_WAIT_S):
                await self._process.wait()
        except TimeoutError:
            self._kill()
            await self._process.wait()
        self._reading.cancel()

    def _kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                message = decode_from_stream(line)
                lease = self._leases.get(message.session)
                if lease is not None:
                    lease.receive(message.message)
        except (ConnectionError, msgspec.DecodeError, ValueError) as error:
            self._log.warning("packager_lost", pid=self.pid, error=type(error).__name__)
        finally:
            self._kill()
            self._writer.close()
            await self._process.wait()
            for lease in self._leases.values():
                lease.receive(None)


_FULL = 50
"""Sessions of one packager: a pass over more takes so long that parts come late by it."""


class PackagerPool:
    """As many packagers as there are cores to use, started when needed; the least loaded serves.
    When all are full there is one more, on the core that is the daemon's otherwise.

    They come out of `nursery` where there is one, which goes with the pool.
    """

    def __init__(self, size: int | None = None, nursery: PackagerNursery | None = None) -> None:
        self._nursery = nursery
        self._size = size or max(1, (os.cpu_count() or 1) - 1)
        self._packagers: list[PackagerProcess] = []
        self._lock = asyncio.Lock()
        self._sessions = 0

    async def warm(self) -> None:
        """Start the first packager before it is needed."""
        async with self._lock:
            if not self._packagers:
                self._packagers.append(await PackagerProcess.spawn(self._nursery))

    async def take(self, name: str) -> PackagerLease:
        """A place for a session; `name` is for reading only."""
        async with self._lock:
            self._packagers = [packager for packager in self._packagers if packager.alive]
            least = min((packager.load for packager in self._packagers), default=_FULL)
            wanted = self._size + (least >= _FULL)
            if least and len(self._packagers) < wanted:
                self._packagers.append(await PackagerProcess.spawn(self._nursery))
            packager = min(self._packagers, key=lambda packager: packager.load)
            self._sessions += 1
            return packager.lease(f"{name}#{self._sessions}")

    async def close(self) -> None:
        """End all packagers."""
        for packager in self._packagers:
            await packager.close()
        if self._nursery is not None:
            self._nursery.close()
