"""Where the daemon listens: TCP addresses and unix sockets, opened and closed alike."""

import os
from pathlib import Path

from aiohttp import web

from controller.errors import ConfigurationError
from controller.logs import AccessLogger

_SHUTDOWN_S = 3.0
"""How long open requests may take to end when the daemon stops; held playlists are cut off."""


class Listener:
    """One application on one address (`host:port` or `unix:/path`)."""

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
        path = self._address.removeprefix("unix:")
        if path != self._address:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            if Path(path).is_socket():
                os.unlink(path)  # a killed predecessor's
            return web.UnixSite(self._runner, path)
        host, _, port = self._address.rpartition(":")
        return web.TCPSite(self._runner, host.strip("[]"), int(port))
