"""The aiohttp sub-application that answers players: playlists, and media that is about to exist.

Finished media files never come here; nginx sends them. A request for a file that does not exist
yet is held until it does, then handed back to nginx (X-Accel-Redirect).
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from aiohttp import web

from ingest.clock import Clock
from ingest.delivery import caching
from ingest.delivery.problems import NotInTime, NotThere, TokenNeeded, answer_problems
from ingest.manifest.dash_mpd import live_mpd
from ingest.manifest.hls_blocking import (
    BlockingRequest,
    Decision,
    decide,
    parse_directives,
    wants_delta,
)
from ingest.manifest.hls_playlist import media_playlist, multivariant_playlist
from ingest.ports import PlaybackAuthorizer
from ingest.presentation import Rendition
from ingest.window.live_window import LiveWindow

_HLS_TYPE = "application/vnd.apple.mpegurl"
_DASH_TYPE = "application/dash+xml"
_START_WAIT_S = 4.0
_HOLD_TARGETS = 3
"""A held request is answered after three Target Durations (rfc8216bis §6.2.5.2: 503)."""

_MEDIA_FILE = re.compile(r"(part|segment)-(\d{1,12})\.m4s")
_HINT_AHEAD = 1
"""Parts behind the hinted one that a request may wait for; it was made from a newer playlist."""


class _RenderedPlaylists:
    """Each rendition's playlist as text, rendered once per change however many ask."""

    def __init__(self) -> None:
        self._texts: WeakKeyDictionary[LiveWindow, dict[str, tuple[int, bytes]]] = (
            WeakKeyDictionary()
        )

    def playlist(self, window: LiveWindow, rendition: Rendition, *, delta: bool) -> bytes:
        """The playlist as the window is now; `delta` for a delta update."""
        texts = self._texts.setdefault(window, {})
        name = f"{rendition.name}?delta" if delta else rendition.name
        kept = texts.get(name)
        if kept is not None and kept[0] == window.version:
            return kept[1]
        everything = window.presentation().renditions
        others = [other for other in everything if other.name != rendition.name]
        body = media_playlist(rendition, others, skip=delta).encode()
        texts[name] = (window.version, body)
        return body


class Delivery:
    """Handlers of the live plane. `windows` finds a stream's window; `live_root` holds its files.

    `accel_prefix` is nginx's internal location over `live_root`; empty: the daemon sends the file
    itself.
    """

    def __init__(
        self,
        windows: Callable[[str], LiveWindow | None],
        live_root: Path,
        authorizer: PlaybackAuthorizer,
        clock: Clock,
        *,
        accel_prefix: str,
    ) -> None:
        self._windows = windows
        self._live_root = live_root
        self._authorizer = authorizer
        self._clock = clock
        self._accel_prefix = accel_prefix
        self._rendered = _RenderedPlaylists()

    def routes(self) -> list[web.RouteDef]:
        """The table, below `/live`."""
        return [
            web.get("/time", self.time),
            web.get("/{stream_id}/index.m3u8", self.multivariant),
            web.get("/{stream_id}/manifest.mpd", self.mpd),
            web.get("/{stream_id}/{rendition}.m3u8", self.media),
            web.get("/{stream_id}/{rendition}/{file}", self.pending_file),
        ]

    async def time(self, _: web.Request) -> web.Response:
        """The wall clock for UTCTiming (urn:mpeg:dash:utc:http-iso:2014)."""
        now = datetime.fromtimestamp(self._clock.wall_s(), UTC)
        text = now.isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return web.Response(text=text, headers=_headers(caching.NEVER))

    async def multivariant(self, request: web.Request) -> web.Response:
        """The HLS Multivariant Playlist, once there is a Media Segment to tell the bandwidth."""
        window = await self._window(request)
        await self._first_segments(window)
        text = multivariant_playlist(window.presentation())
        return web.Response(text=text, content_type=_HLS_TYPE, headers=_headers(caching.REVALIDATE))

    async def mpd(self, request: web.Request) -> web.Response:
        """The DASH manifest, once there is a finished segment of each track."""
        window = await self._window(request)
        await self._first_segments(window)
        presentation = window.presentation()
        text = live_mpd(presentation, now_wall_s=self._clock.wall_s(), time_url="../time")
        headers = _headers(caching.REVALIDATE)
        return web.Response(text=text, content_type=_DASH_TYPE, headers=headers)

    async def media(self, request: web.Request) -> web.Response:
        """A Media Playlist, held as its delivery directives ask.

        Without any it is held until the rendition's first Media Segment is finished: players
        refuse a playlist that has Partial Segments alone.
        """
        window = await self._window(request)
        name = request.match_info["rendition"]
        if not await window.wait_started(_START_WAIT_S):
            raise NotThere("the stream has not started")
        query = request.query
        wanted = parse_directives(query.get("_HLS_msn"), query.get("_HLS_part"))
        delta = wants_delta(query.get("_HLS_skip"))
        if wanted is None:
            await self._first_segments(window)
        rendition = _rendition(window, name)
        if wanted is not None:
            rendition = await self._held(window, rendition, wanted)
        cache = caching.REVALIDATE
        if wanted is not None:
            cache = caching.blocking_reload(rendition.target_duration_s)
        body = self._rendered.playlist(window, rendition, delta=delta)
        return web.Response(body=body, content_type=_HLS_TYPE, headers=_headers(cache))

    async def pending_file(self, request: web.Request) -> web.StreamResponse:
        """A media file that was not there when nginx looked."""
        window = await self._window(request)
        name, file = request.match_info["rendition"], request.match_info["file"]
        match = _MEDIA_FILE.fullmatch(file)
        if match is None or window.rendition(name) is None:
            raise NotThere("no such file")
        number = int(match[2])
        exists = _has_part if match[1] == "part" else _has_segment
        rendition = _rendition(window, name)
        ahead = number - (rendition.next_part if match[1] == "part" else rendition.last_msn)
        if ahead > _HINT_AHEAD:
            raise NotThere("no such file yet")
        deadline_s = self._clock.monotonic_s() + _HOLD_TARGETS * rendition.target_duration_s
        while not exists(rendition, number):
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0 or not await window.wait_change(name, left_s):
                raise NotThere("the file did not come")
            rendition = _rendition(window, name)
        return self._send(request.match_info["stream_id"], name, file)

    async def _held(
        self, window: LiveWindow, rendition: Rendition, wanted: BlockingRequest
    ) -> Rendition:
        """The rendition once it holds what was asked for; 503 when that takes too long."""
        deadline_s = self._clock.monotonic_s() + _HOLD_TARGETS * rendition.target_duration_s
        while decide(wanted, rendition) is Decision.WAIT:
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0 or not await window.wait_change(rendition.name, left_s):
                raise NotInTime("the part did not come in time")
            rendition = _rendition(window, rendition.name)
        return rendition

    async def _first_segments(self, window: LiveWindow) -> None:
        """Until each rendition has a finished Media Segment; the stream's end will do."""
        if not await window.wait_started(_START_WAIT_S):
            raise NotThere("the stream has not started")
        longest_s = max((r.target_duration_s for r in window.presentation().renditions), default=1)
        if not await window.wait_segments(_HOLD_TARGETS * longest_s):
            raise NotThere("no segment is finished yet")

    async def _window(self, request: web.Request) -> LiveWindow:
        """The stream's window, for whoever may play it."""
        stream_id = request.match_info["stream_id"]
        window = self._windows(stream_id)
        if window is None:
            raise NotThere("no such live stream")
        token = request.headers.get("X-Playback-Token") or None
        if not await self._authorizer.may_play(stream_id, token):
            raise TokenNeeded("a playback token is needed")
        return window

    def _send(self, stream_id: str, rendition: str, file: str) -> web.StreamResponse:
        if not self._accel_prefix:
            return web.FileResponse(self._live_root / stream_id / rendition / file)
        location = f"{self._accel_prefix}/{stream_id}/{rendition}/{file}"
        return web.Response(headers={"X-Accel-Redirect": location})


def create_delivery(delivery: Delivery) -> web.Application:
    """The sub-application, to be mounted at `/live`."""
    app = web.Application(middlewares=[answer_problems])
    app.add_routes(delivery.routes())
    return app


def _rendition(window: LiveWindow, name: str) -> Rendition:
    rendition = window.rendition(name)
    if rendition is None or not rendition.segments:
        raise NotThere("no such rendition")
    return rendition


def _has_part(rendition: Rendition, number: int) -> bool:
    return number < rendition.next_part


def _has_segment(rendition: Rendition, number: int) -> bool:
    last = rendition.segments[-1]
    return number < last.msn or (number == last.msn and last.finished)


def _headers(cache_control: str) -> dict[str, str]:
    return {"Cache-Control": cache_control, "Access-Control-Allow-Origin": "*"}
