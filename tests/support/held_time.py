"""A clock that a test holds for daemons, and the rounds of their upkeep, which it calls for.

Nothing happens behind the test's back: the time stands still until it sets another, and a daemon
rests after a round until it is told to make the next. So when a round is over, everything that was
answered before it is counted and written, and whoever has gone by then is missed: only thereafter
may the time go on.
"""

import asyncio
import mmap
import os
import struct
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from controller.hub.pacing import LoopPacer

_ROUND_S = 60.0


class SharedTime(LoopPacer):
    """A clock in a file, in Unix seconds, for several processes."""

    def __init__(self, path: Path, start_s: float | None = None) -> None:
        if start_s is not None:
            path.write_bytes(struct.pack("d", start_s))
        with path.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), 8)

    def set(self, wall_s: float) -> None:
        self._memory[:] = struct.pack("d", wall_s)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.monotonic_s(), UTC)

    def monotonic_s(self) -> float:
        (wall_s,) = struct.unpack("d", self._memory)
        return wall_s


class DaemonTime(SharedTime):
    """The same in a daemon, whose rounds the test at the socket `rounds` calls for."""

    def __init__(self, path: Path, rounds: Path) -> None:
        super().__init__(path)
        self._rounds = rounds
        self._test: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def rest(self, rest_s: float) -> None:
        if self._test is None:
            self._test = await asyncio.open_unix_connection(self._rounds)
        reader, writer = self._test
        writer.write(b"%d\n" % os.getpid())
        await reader.readexactly(1)


class Rounds:
    """The test's side of it: daemons by their process' id, each of which rests or goes round."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._resting: dict[int, asyncio.Queue] = defaultdict(lambda: asyncio.Queue(1))
        self._meetings: list[asyncio.Task] = []
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._meet, self.path)

    async def close(self) -> None:
        """When the daemons have ended."""
        if self._server is not None:
            self._server.close()
            await asyncio.gather(*self._meetings)

    async def make(self, pids: Sequence[int]) -> None:
        """Have each of them begin and end one, side by side."""
        async with asyncio.timeout(_ROUND_S):
            for pid in pids:
                (await self._resting[pid].get()).write(b"\n")
            for pid in pids:
                self._resting[pid].put_nowait(await self._resting[pid].get())

    def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._meetings.append(asyncio.create_task(self._listen(reader, writer)))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            await self._resting[int(line)].put(writer)
        writer.close()
