"""The Media Segment that grows, sent part by part as they come (chunked transfer, RFC 9112 §7.1):
what a low-latency MPD promises with `availabilityTimeComplete="false"`.

Its bytes are those of the file that nginx sends once it is finished.
"""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from weakref import WeakKeyDictionary

from aiohttp import web

from ingest.clock import Clock
from ingest.delivery import caching
from ingest.delivery.problems import NotThere
from ingest.journal_entries import part_name, segment_name
from ingest.presentation import Rendition, Segment
from ingest.window.live_window import LiveWindow

_SEGMENT_TYPE = "video/iso.segment"
_READ_BYTES = 1 << 20
_NO_MEDIA = b"\x00\x00\x00\x08free"
"""A Free Space Box: readers skip it (ISO/IEC 14496-12 §8.1.2)."""


class Wanted(NamedTuple):
    """Media Segment `number` of a rendition, in the journal's Period `period`. `hold_s` bounds each
    wait for more of it."""

    window: LiveWindow
    stream_id: str
    rendition: str
    number: int
    period: int
    hold_s: float


class OpenSegments:
    """Answers requests for segments that are not finished. `live_root` holds their parts."""

    def __init__(self, live_root: Path, clock: Clock) -> None:
        self._live_root = live_root
        self._clock = clock
        self._parts: WeakKeyDictionary[LiveWindow, dict[str, _OpenParts]] = WeakKeyDictionary()
        self._requests = 0

    def __len__(self) -> int:
        """How many requests wait, or are being answered."""
        return self._requests

    async def answer(self, request: web.Request, wanted: Wanted) -> web.StreamResponse | None:
        """Send the segment as it comes; None when it is finished before its first byte was sent.

        A Period that ends before it gets an answer without media: players of open Periods take an
        error there for a broken connection, and are seconds late in the next Period. Raises
        NotThere when it does not begin in time. Once begun, an answer that cannot be completed is
        broken off, so that nobody takes or keeps it for a whole one.
        """
        with self._counted():
            segment = await self._begun(wanted)
            if segment is None:
                return web.Response(body=_NO_MEDIA, headers={**_HEADERS, **_NOT_KEPT})
            if segment.finished:
                return None
            response = web.StreamResponse(headers=_HEADERS)
            response.enable_chunked_encoding()
            await response.prepare(request)
            if not await self._send(response, wanted) and request.transport is not None:
                request.transport.abort()
            return response

    async def _begun(self, wanted: Wanted) -> Segment | None:
        """The segment, as soon as one of its parts is there; None when its Period ended before."""
        deadline_s = self._clock.monotonic_s() + wanted.hold_s
        while (segment := _find(wanted)) is None:
            if wanted.window.ended:
                return None
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0 or not await wanted.window.wait_change(wanted.rendition, left_s):
                raise NotThere("the segment did not come")
        if segment.period < wanted.period:
            raise NotThere("no such period")
        return segment if segment.period == wanted.period else None

    async def _send(self, response: web.StreamResponse, wanted: Wanted) -> bool:
        """Whether all of it could be sent."""
        sent_parts = sent_bytes = 0
        while (segment := _find(wanted)) is not None:
            if segment.finished:
                return await self._send_rest(response, wanted, sent_bytes)
            for part in segment.parts[sent_parts:]:
                data = self._part(wanted, segment, part.number)
                if data is None or not await _write(response, data, wanted.hold_s):
                    return False
                sent_bytes += len(data)
                sent_parts += 1
            if _find(wanted) is not segment:
                continue  # it grew meanwhile
            if not await wanted.window.wait_change(wanted.rendition, wanted.hold_s):
                return False
        return False

    async def _send_rest(
        self, response: web.StreamResponse, wanted: Wanted, sent_bytes: int
    ) -> bool:
        folder = self._live_root / wanted.stream_id / wanted.rendition
        try:
            file = os.open(folder / segment_name(wanted.number), os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            while data := os.pread(file, _READ_BYTES, sent_bytes):
                if not await _write(response, data, wanted.hold_s):
                    return False
                sent_bytes += len(data)
        finally:
            os.close(file)
        return True

    def _part(self, wanted: Wanted, segment: Segment, number: int) -> bytes | None:
        """Read once for all who wait; it was written a moment ago, so the disk is not asked. None
        when the file is lost."""
        of_window = self._parts.setdefault(wanted.window, {})
        known = of_window.get(wanted.rendition)
        if known is None or known.msn != segment.msn:
            known = of_window[wanted.rendition] = _OpenParts(segment.msn, {})
        if number not in known.bytes:
            folder = self._live_root / wanted.stream_id / wanted.rendition
            try:
                known.bytes[number] = (folder / part_name(number)).read_bytes()
            except FileNotFoundError:
                return None
        return known.bytes[number]

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._requests += 1
        try:
            yield
        finally:
            self._requests -= 1
            if not self._requests:
                self._parts.clear()


class _OpenParts(NamedTuple):
    """What was read of the segment that grows, by the numbers of its parts."""

    msn: int
    bytes: dict[int, bytes]


_HEADERS = {
    "Content-Type": _SEGMENT_TYPE,
    "Cache-Control": caching.FOR_EVER,
    "Access-Control-Allow-Origin": "*",
    "X-Accel-Buffering": "no",
}
_NOT_KEPT = {"Cache-Control": caching.NEVER}


def _find(wanted: Wanted) -> Segment | None:
    """The segment, finished or growing; None before it has begun."""
    rendition: Rendition | None = wanted.window.rendition(wanted.rendition)
    if rendition is None or wanted.number > rendition.last_msn:
        return None
    behind = rendition.last_msn - wanted.number  # a rendition leaves no number out
    return rendition.segments[-1 - behind] if behind < len(rendition.segments) else None


async def _write(response: web.StreamResponse, data: bytes, timeout_s: float) -> bool:
    """Whether the client took it in time."""
    try:
        async with asyncio.timeout(timeout_s):
            await response.write(data)
    except TimeoutError:
        return False
    return True
