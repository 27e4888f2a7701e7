"""What nginx-rtmp sees and does: its /stat page and its /control commands, on loopback.

The stat page is the truth about publishers; hooks are hints.
"""

import asyncio
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import aiohttp

_APPLICATION = "live"
_TIMEOUT = aiohttp.ClientTimeout(total=3.0)
_JOIN_POLL_S = 0.005


class NginxUnreachable(OSError):
    """nginx-rtmp's control server did not answer, or answered something else."""


@dataclass(frozen=True, slots=True)
class LiveName:
    """A name in nginx's list: whether somebody publishes it, and how many play it."""

    name: str
    publishing: bool
    players: int


class NginxRtmp:
    """A client of one nginx-rtmp instance; `control` is `http://host:port` or `unix:/path`.

    Every call is bounded by three seconds and raises NginxUnreachable.
    """

    def __init__(self, control: str) -> None:
        path = control.removeprefix("unix:")
        self._base = control if path == control else "http://nginx"
        self._socket = "" if path == control else path
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def names(self) -> dict[str, LiveName]:
        """All names of the application, by name."""
        return {live.name: live for live in _parse_stat(await self._get("/stat", {}))}

    async def is_publishing(self, publication: str) -> bool:
        """Whether an encoder is sending `publication` now."""
        live = (await self.names()).get(publication)
        return live is not None and live.publishing

    async def wait_player(self, publication: str, timeout_s: float) -> bool:
        """Wait until somebody plays `publication`; nginx tells it on its stat page only."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    live = (await self.names()).get(publication)
                    if live is not None and live.players:
                        return True
                    await asyncio.sleep(_JOIN_POLL_S)
        except TimeoutError:
            return False

    async def drop_publisher(self, publication: str) -> bool:
        """Disconnect the encoder of `publication`; False when there was none."""
        query = {"app": _APPLICATION, "name": publication}
        answer = await self._get("/control/drop/publisher", query)
        return answer.strip() not in {b"", b"0"}

    async def _get(self, path: str, query: dict[str, str]) -> bytes:
        try:
            async with self._client().get(self._base + path, params=query) as response:
                body = await response.read()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NginxUnreachable(
                f"nginx-rtmp's control server: {type(error).__name__}"
            ) from error
        if response.status != 200:  # noqa: PLR2004
            raise NginxUnreachable(f"nginx-rtmp's control server answered {response.status}")
        return body

    def _client(self) -> aiohttp.ClientSession:
        """Made at the first call, for it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.UnixConnector(self._socket) if self._socket else None
            self._session = aiohttp.ClientSession(connector=connector, timeout=_TIMEOUT)
        return self._session


def _parse_stat(page: bytes) -> list[LiveName]:
    try:
        root = ET.fromstring(page)  # noqa: S314  our own nginx, on loopback; expat bounds entities
    except ET.ParseError as error:
        raise NginxUnreachable("nginx-rtmp's stat page is not XML") from error
    found = []
    for application in root.iter("application"):
        if application.findtext("name") != _APPLICATION:
            continue
        for stream in application.iterfind("live/stream"):
            clients = stream.findall("client")
            publishers = sum(1 for client in clients if client.find("publishing") is not None)
            found.append(
                LiveName(
                    name=stream.findtext("name") or "",
                    publishing=publishers > 0,
                    players=len(clients) - publishers,
                )
            )
    return found
