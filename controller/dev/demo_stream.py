"""The stream that `golive dev` keeps ready to push to, made through the HTTP API like any other."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from controller.dev.errors import DemoError

_API_TIMEOUT_S = 10.0
_POLL_S = 2.0
_TITLE = "Demo stream"
_ESTIMATED_MINUTES = 240


@dataclass(frozen=True, slots=True)
class DemoStream:
    """A live stream and the key to push with."""

    stream_id: str
    stream_key: str

    def __repr__(self) -> str:
        """Without the key: representations end up in logs."""
        return f"DemoStream({self.stream_id})"


@dataclass(frozen=True, slots=True)
class DemoAccess:
    """A seller's bearer token and a product of theirs."""

    token: str
    product_id: str

    def __repr__(self) -> str:
        """Without the token."""
        return f"DemoAccess(product_id={self.product_id!r})"


class DemoDirectory(Protocol):
    """Where the demo seller and product come from."""

    async def access(self) -> DemoAccess:
        """Make sure that both exist; a fresh token. Raises DemoError."""


class HttpDemoStreams:
    """Creates, remembers and watches demo streams.

    memory: file that holds the current stream's id, so that the key outlives a restart.
    """

    def __init__(self, local_url: str, memory: Path, directory: DemoDirectory) -> None:
        self._api = f"{local_url}/api/v1/streams"
        self._memory = memory
        self._directory = directory

    async def ready(self) -> DemoStream:
        """The live demo stream, a new one when the last has ended; DemoError when neither."""
        access = await self._directory.access()
        async with self._session(access) as session:
            stream = await self._remembered(session)
            if stream is None:
                stream = await self._create(session, access)
        await asyncio.to_thread(self._memory.write_text, stream.stream_id, "utf-8")
        return stream

    async def ended(self, stream: DemoStream) -> None:
        """Return when that stream has ended; a daemon that is down is waited for."""
        access = await self._directory.access()
        while True:
            async with self._session(access) as session:
                while True:
                    await asyncio.sleep(_POLL_S)
                    try:
                        status, data = await self._call(session, "GET", f"/{stream.stream_id}")
                    except DemoError:
                        continue
                    if status == HTTPStatus.UNAUTHORIZED:
                        break
                    if status == HTTPStatus.NOT_FOUND or data.get("status") == "ended":
                        return
            access = await self._directory.access()

    async def _remembered(self, session: aiohttp.ClientSession) -> DemoStream | None:
        try:
            stream_id = (await asyncio.to_thread(self._memory.read_text, "utf-8")).strip()
        except FileNotFoundError:
            return None
        status, data = await self._call(session, "GET", f"/{stream_id}")
        if status != HTTPStatus.OK or data.get("status") != "live" or not data.get("stream_key"):
            return None
        return DemoStream(stream_id, data["stream_key"])

    async def _create(self, session: aiohttp.ClientSession, access: DemoAccess) -> DemoStream:
        body = {
            "title": _TITLE,
            "description": "A place to push to while trying golive out.",
            "category": "demo",
            "estimated_duration": _ESTIMATED_MINUTES,
            "product_ids": [access.product_id],
        }
        created = await self._expect(session, "", body, HTTPStatus.CREATED)
        live = await self._expect(
            session,
            f"/{created['streamId']}/go-live",
            {"camera_ready": True, "checklist_complete": True},
            HTTPStatus.OK,
        )
        return DemoStream(live["streamId"], live["streamKey"])

    async def _expect(
        self,
        session: aiohttp.ClientSession,
        path: str,
        body: Mapping[str, Any],
        expected: HTTPStatus,
    ) -> dict[str, Any]:
        status, data = await self._call(session, "POST", path, body)
        if status != expected:
            detail = data.get("detail") or f"status {status}"
            raise DemoError(f"The demo stream could not be made: {detail}")
        return data

    async def _call(
        self,
        session: aiohttp.ClientSession,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Status and the envelope's data, or the problem's fields."""
        try:
            async with session.request(method, self._api + path, json=body) as answer:
                document = await answer.json(content_type=None)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            raise DemoError(f"The API did not answer ({type(error).__name__}).") from error
        if not isinstance(document, dict):
            raise DemoError("The API answered with something that is no object.")
        data = document.get("data", document)
        return answer.status, data if isinstance(data, dict) else {}

    @staticmethod
    def _session(access: DemoAccess) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {access.token}"},
            timeout=aiohttp.ClientTimeout(total=_API_TIMEOUT_S),
        )
