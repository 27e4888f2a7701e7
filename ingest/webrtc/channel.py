"""A worker's end of the socket pair to the daemon."""

import asyncio
import socket
from collections.abc import AsyncIterator

from ingest.webrtc.messages import FromPeerWorker, ToPeerWorker, decode_to_worker, encode

_LINE_LIMIT = 1 << 20
_MOST_UNSENT_BYTES = 8 << 20


class DaemonChannel:
    """Lines both ways; the worker ends when the daemon does."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, descriptor: int) -> "DaemonChannel":
        """Over the inherited socket."""
        connection = socket.socket(fileno=descriptor)
        connection.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=connection, limit=_LINE_LIMIT))

    def tell(self, message: FromPeerWorker) -> None:
        """Send a message. A daemon that reads nothing for so long is given up."""
        if self._writer.transport.get_write_buffer_size() > _MOST_UNSENT_BYTES:
            self._writer.close()
        if not self._writer.is_closing():
            self._writer.write(encode(message))

    async def messages(self) -> AsyncIterator[ToPeerWorker]:
        """What the daemon says, until it has gone."""
        while line := await self._reader.readline():
            if not line.endswith(b"\n"):
                return
            yield decode_to_worker(line)

    async def close(self) -> None:
        """Send what is queued, and close."""
        self._writer.close()
