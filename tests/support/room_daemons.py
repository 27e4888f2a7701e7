"""`golive serve` on its own, for the room alone: no nginx, no encoder; a database and a Redis."""

import asyncio
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import aiohttp
import psutil

from tests.support.processes import Running, free_ports
from tests.support.tokens import SECRET, Person

_READY_S = 60.0


class RoomDaemon:
    """A daemon on a port of its own, to be killed and started again."""

    def __init__(
        self,
        folder: Path,
        database_url: str,
        redis_url: str,
        module: Sequence[str] = ("controller.cli", "serve"),
        **settings: str,
    ) -> None:
        self._module = module
        (self.port,) = free_ports(1)
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("GOLIVE_")
        }
        self._environment = {
            **environment,
            "GOLIVE_DATA_DIR": str(folder),
            "GOLIVE_DATABASE_URL": database_url,
            "GOLIVE_REDIS_URL": redis_url,
            "GOLIVE_AUTH_SECRET": SECRET,
            "GOLIVE_KEY_SECRET": "one secret for all daemons of the test, 32+ bytes",
            "GOLIVE_HTTP_LISTEN": f"127.0.0.1:{self.port}",
            "GOLIVE_SPOOL": "false",
            "GOLIVE_RECONNECT_GRACE_S": "3600",
            **settings,
        }
        self._runs: list[Running] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1"

    @property
    def pid(self) -> int:
        """Of the process that was started last."""
        return self._runs[-1].pid

    @property
    def text(self) -> str:
        return "".join(run.text for run in self._runs)

    def start(self) -> None:
        argv = [sys.executable, "-m", *self._module]
        self._runs.append(Running(argv, self._environment))

    async def ready(self) -> None:
        async with asyncio.timeout(_READY_S):
            while "daemon_ready" not in self._runs[-1].text:
                assert self._runs[-1].process.poll() is None, self.text
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """`kill -9` of the daemon and what it has started."""
        for run in self._runs:
            run.kill()

    def memory_bytes(self) -> int:
        """What the daemon itself has for itself alone; its workers are none of the room's."""
        return psutil.Process(self.pid).memory_full_info().uss


@contextmanager
def room_daemons(folder: Path, count: int, database_url: str, redis_url: str) -> Iterator[list]:
    """So many daemons, started, not waited for."""
    daemons = [RoomDaemon(folder / str(n), database_url, redis_url) for n in range(count)]
    try:
        for daemon in daemons:
            daemon.start()
        yield daemons
    except BaseException:
        for daemon in daemons:
            print(f"--- {daemon.url}\n{daemon.text[-4_000:]}")
        raise
    finally:
        for daemon in daemons:
            daemon.kill()


class StreamApi:
    """What a host does over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, base: str, host: Person) -> None:
        self._session = session
        self._base = base
        self._host = host

    async def call(self, method: str, path: str, json=None) -> dict:
        request = self._session.request(
            method, f"{self._base}{path}", json=json, headers=self._host.headers
        )
        async with request as answer:
            found = await answer.json()
            assert answer.status < 300, found
            return found["data"]

    async def live_stream(self) -> str:
        product = str(uuid4())
        body = {"title": "A mug", "price": 1, "currency": "EUR"}
        await self.call("PUT", f"/products/{product}", body)
        stream = {"title": "Mugs", "category": "kitchen", "product_ids": [product]}
        stream_id = (await self.call("POST", "/streams", stream))["streamId"]
        ready = {"camera_ready": True, "checklist_complete": True}
        await self.call("POST", f"/streams/{stream_id}/go-live", ready)
        return stream_id

    async def viewers(self, stream_id: str) -> int:
        return (await self.call("GET", f"/streams/{stream_id}"))["viewer_count"]

    async def end(self, stream_id: str) -> dict:
        return (await self.call("POST", f"/streams/{stream_id}/end"))["stats"]
