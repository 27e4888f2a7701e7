"""Waits until the whole chain, nginx included, says that it may take traffic."""

import asyncio
import contextlib
from http import HTTPStatus

import aiohttp

from controller.dev.errors import ChildFailedError

_POLL_S = 0.05
_REQUEST_TIMEOUT_S = 5.0
_SHOWN_CHARACTERS = 300


class HttpReadiness:
    """Asks /readyz through nginx until it answers 200.

    daemon_listen: `host:port` or `unix:/path`; nothing is asked before it can be reached, so
    that nginx's log does not begin with a page of errors.
    """

    def __init__(self, daemon_listen: str, timeout_s: float = 60.0) -> None:
        self._daemon_listen = daemon_listen
        self._timeout_s = timeout_s

    async def wait(self, local_url: str) -> None:
        """Return when ready; ChildFailedError with the last answer when time runs out."""
        timeout = aiohttp.ClientTimeout(total=_REQUEST_TIMEOUT_S)
        why_not = "it was not asked"
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                aiohttp.ClientSession(timeout=timeout) as session,
            ):
                while True:
                    why_not = await self._why_not_ready(session, f"{local_url}/readyz")
                    if not why_not:
                        return
                    await asyncio.sleep(_POLL_S)
        except TimeoutError as error:
            raise ChildFailedError(
                f"golive was not ready after {self._timeout_s:.0f} s: {why_not}"
            ) from error

    async def _why_not_ready(self, session: aiohttp.ClientSession, url: str) -> str:
        """Empty when it is ready."""
        if not await self._listens():
            return "the daemon does not listen yet"
        try:
            async with session.get(url) as answer:
                if answer.status == HTTPStatus.OK:
                    return ""
                said = " ".join((await answer.text()).split())
                return said[:_SHOWN_CHARACTERS] or f"status {answer.status}"
        except (aiohttp.ClientError, TimeoutError) as error:
            return str(error) or type(error).__name__

    async def _listens(self) -> bool:
        try:
            if self._daemon_listen.startswith("unix:"):
                path = self._daemon_listen.removeprefix("unix:")
                _, writer = await asyncio.open_unix_connection(path)
            else:
                host, _, port = self._daemon_listen.rpartition(":")
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except OSError:
            return False
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        return True
