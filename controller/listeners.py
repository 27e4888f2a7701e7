"""Where the daemon listens: TCP addresses and unix sockets, opened and closed alike."""

import asyncio
import os
import socket
from pathlib import Path

from aiohttp import web

from controller.errors import ConfigurationError
from controller.logs import AccessLogger

_BACKLOG = 4096
_SHUTDOWN_S = 3.0
"""How long open requests may take to end when the daemon stops; held playlists are cut off."""


class Listener:
    """One application on one address: `host:port`, `unix:/path`, or `fd:N` for a listening socket
    that the daemon's supervisor keeps open, so that connections wait while the daemon restarts.
    """

    def __init__(self, app: web.Application, address: str) -> None:
        self._runner = web.AppRunner(
            app,
            # A player that leaves ends its wait.
            handler_cancellation=True,
            shutdown_timeout=_SHUTDOWN_S,
            access_log_class=AccessLogger,
        )
        self._address = address

    async def open(self) -> None:
        """Start answering; ConfigurationError when the address is no address or is taken."""
        await self._runner.setup()
        try:
            await self._site().start()
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"cannot listen on {self._address}: {error}") from error

    async def close(self) -> None:
        """Stop answering."""
        await self._runner.cleanup()

    def _site(self) -> web.BaseSite:
        inherited = self._address.removeprefix("fd:")
        if inherited != self._address:
            return _InheritedSite(self._runner, socket.socket(fileno=int(inherited)))
        path = self._address.removeprefix("unix:")
        if path != self._address:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            if Path(path).is_socket():
                os.unlink(path)  # a killed predecessor's
            return web.UnixSite(self._runner, path, backlog=_BACKLOG)
        host, _, port = self._address.rpartition(":")
        return web.TCPSite(self._runner, host.strip("[]"), int(port), backlog=_BACKLOG)


class _InheritedSite(web.SockSite):
    """A socket that is open already, of either family; aiohttp's own takes TCP sockets only."""

    def __init__(self, runner: web.AppRunner, held: socket.socket) -> None:
        super().__init__(runner, held, backlog=_BACKLOG)
        self._held = held

    async def start(self) -> None:
        """Start answering."""
        if self._held.family is not socket.AF_UNIX:
            await super().start()
            return
        await web.BaseSite.start(self)
        handler = self._runner.server
        if handler is None:
            raise RuntimeError("the runner was not set up")
        loop = asyncio.get_running_loop()
        self._server = await loop.create_unix_server(handler, sock=self._held, backlog=_BACKLOG)
