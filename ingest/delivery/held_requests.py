"""Requests for a playlist that is yet to come, answered together at the moment it is there.

aiohttp needs 40 us for each answer, most of it behind the bytes: tasks, signals, logs. With
thousands of players on one part the last of them would hear of it when the next is nearly due. So
the head of each answer is made while the request waits, the rest once for all, and both go to the
connections in one sweep; aiohttp's own work for each request follows behind.
"""

import asyncio
import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from aiohttp import HttpVersion11, web

from ingest.delivery.rendered import RenderedPlaylists, Variant
from ingest.manifest.hls_blocking import BadDirective, BlockingRequest, Decision, decide
from ingest.window.live_window import LiveWindow


class _Awaited(NamedTuple):
    variant: Variant
    wanted: BlockingRequest


@dataclass(slots=True, eq=False)
class _Held:
    """A request that waits; `answered` comes to the bytes that were sent."""

    transport: asyncio.Transport
    head: bytes
    answered: asyncio.Future[int]


class SentResponse(web.StreamResponse):
    """Stands for an answer of `size` bytes that the client has got already."""

    def __init__(self, size: int) -> None:
        super().__init__(status=200)
        self._size = size

    @property
    def keep_alive(self) -> bool | None:
        """Only connections that stay open are answered this way."""
        return True

    @property
    def body_length(self) -> int:
        """For the log."""
        return self._size

    async def prepare(self, request: web.BaseRequest) -> None:
        """There is nothing left to send."""

    async def write_eof(self, data: bytes = b"") -> None:
        """There is nothing left to send."""


class HeldRequests:
    """The requests that wait for one window."""

    def __init__(self, window: LiveWindow, rendered: RenderedPlaylists) -> None:
        self._rendered = rendered
        self._held: dict[_Awaited, set[_Held]] = {}
        window.watch(self._changed)  # and no reference back: the window may be forgotten

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._held.values()))

    async def answer(
        self, transport: asyncio.Transport, head: bytes, variant: Variant, wanted: BlockingRequest
    ) -> int:
        """Hold a request until the playlist has what is wanted, and send it; answers the bytes.

        `head` is all of the answer before Content-Length. Bounded by the caller; a caller that is
        cancelled takes its request back. Raises BadDirective.
        """
        held = _Held(transport, head, asyncio.get_running_loop().create_future())
        awaited = _Awaited(variant, wanted)
        self._held.setdefault(awaited, set()).add(held)
        try:
            return await held.answered
        finally:
            together = self._held.get(awaited)
            if together is not None:
                together.discard(held)
                if not together:
                    del self._held[awaited]

    def _changed(self, window: LiveWindow, names: Iterable[str]) -> None:
        """Answer all that wait for one of these renditions and need wait no longer."""
        changed = set(names)
        with _collecting_no_garbage():
            self._sweep([one for one in self._held if one.variant.name in changed], window)

    def _sweep(self, ready: Sequence[_Awaited], window: LiveWindow) -> None:
        for awaited in ready:
            rendition = window.rendition(awaited.variant.name)
            if rendition is None:
                continue
            try:
                if decide(awaited.wanted, rendition) is Decision.WAIT:
                    continue
            except BadDirective as error:
                for held in self._held.pop(awaited):
                    if not held.answered.done():
                        held.answered.set_exception(error)
                continue
            tail = self._rendered.tail(window, rendition, awaited.variant)
            _send(self._held.pop(awaited), tail)


@contextmanager
def _collecting_no_garbage() -> Iterator[None]:
    """With thousands of requests a full collection takes half a second: not between the first
    answer and the last."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _send(together: set[_Held], tail: bytes) -> None:
    """To all connections first; what follows behind an answer waits until all are sent."""
    for held in together:
        if not held.transport.is_closing():
            with suppress(RuntimeError):  # uvloop's word for a connection that has just gone
                held.transport.write(held.head + tail)
    for held in together:
        if not held.answered.done():
            held.answered.set_result(len(held.head) + len(tail))


def may_be_sent(request: web.Request) -> asyncio.Transport | None:
    """The connection, when an answer may be written to it as it is; else aiohttp has to."""
    transport = request.transport
    plain = request.method == "GET" and request.version >= HttpVersion11 and request.keep_alive
    return transport if plain and transport is not None else None


async def head_of(request: web.Request, headers: dict[str, str]) -> bytes:
    """The answer's status and header fields, those that the applications add included."""
    response = web.Response(headers=headers)
    for app in request.match_info.apps:
        await app.on_response_prepare.send(request, response)
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    return f"HTTP/1.1 200 OK\r\n{fields}".encode()
