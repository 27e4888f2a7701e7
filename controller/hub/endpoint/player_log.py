"""What players tell nginx with their requests for media: its log of them, by datagrams.

nginx sends the files by itself, so the daemon sees none of those requests. For those that bring
client data nginx writes a line to a syslog address (RFC 3164), which is this socket; that costs no
request, waits for nobody, and what does not fit into the socket is dropped.
"""

import asyncio
import os
import socket
from pathlib import Path
from urllib.parse import unquote_plus
from uuid import UUID

import msgspec
import structlog

from controller.errors import ConfigurationError
from controller.hub.cmcd import HEADERS, read_request
from controller.hub.quality import QualityBook

PLAYER_LOG = "players.sock"
"""The socket's name in the folder of the daemon's other sockets."""

_MARK = b"golive_player: "
_LINES_AT_ONCE = 200
_MOST_BYTES = 8_192
_BUFFER_BYTES = 2**20


class _Line(msgspec.Struct):
    """As `nginx/http.conf.j2` writes it; the query is as it came."""

    stream: str
    query: str = ""
    request: str = ""
    object: str = ""
    status: str = ""
    session: str = ""


class PlayerLog:
    """A datagram socket at `path`; `malformed` counts lines that are none."""

    def __init__(self, path: Path, book: QualityBook) -> None:
        self.malformed = 0
        self._path = path
        self._book = book
        self._socket: socket.socket | None = None
        self._decoder = msgspec.json.Decoder(_Line, strict=False)
        self._log = structlog.get_logger(__name__)

    async def open(self) -> None:
        """Start listening; ConfigurationError when the address is taken."""
        found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._path.is_socket():
                os.unlink(self._path)  # a killed predecessor's
            found.bind(str(self._path))
        except OSError as error:
            found.close()
            raise ConfigurationError(f"cannot listen on player_log: {error.strerror}") from error
        found.setblocking(False)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket = found
        asyncio.get_running_loop().add_reader(found.fileno(), self._read)

    async def close(self) -> None:
        """Stop listening; the socket stays, it may be a successor's already."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        """Some of what waits: the loop comes back for the rest, after everybody else."""
        for _ in range(_LINES_AT_ONCE):
            if self._socket is None:
                return
            try:
                data = self._socket.recv(_MOST_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                self._log.warning("player_log_unread", reason=error.strerror)
                return
            self._take(data)

    def _take(self, data: bytes) -> None:
        _, _, text = data.partition(_MARK)
        try:
            line = self._decoder.decode(text)
            stream_id = UUID(line.stream)
        except (msgspec.DecodeError, ValueError):
            self.malformed += 1
            return
        parts = (line.request, line.object, line.status, line.session)
        headers = dict(zip(HEADERS, parts, strict=True)) if any(parts) else {}
        query = {"CMCD": unquote_plus(line.query)} if line.query else {}
        told = read_request(query, headers)
        if told is not None:
            self._book.told(stream_id, told)
