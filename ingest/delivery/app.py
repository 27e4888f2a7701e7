"""The aiohttp sub-application that answers players: playlists, and media that is about to exist.

Finished media files never come here; nginx sends them. A request for a file that does not exist
yet is held until it does, then handed back to nginx (X-Accel-Redirect).
"""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from weakref import WeakKeyDictionary

from aiohttp import HttpVersion11, web

from ingest.clock import Clock
from ingest.delivery import caching
from ingest.delivery.held_requests import HeldRequests, SentResponse, head_of, may_be_sent
from ingest.delivery.low_latency import LowLatencyMpds
from ingest.delivery.open_segments import OpenSegments, Wanted
from ingest.delivery.problems import NotInTime, NotThere, TokenNeeded, answer_problems
from ingest.delivery.rendered import RenderedPlaylists, Variant, accepts_gzip
from ingest.delivery.rendered_mpds import RenderedMpds, finished_state
from ingest.manifest.dash_mpd import live_mpd
from ingest.manifest.hls_blocking import (
    BlockingRequest,
    Decision,
    decide,
    parse_directives,
    wants_delta,
)
from ingest.manifest.hls_playlist import multivariant_playlist
from ingest.manifest.low_latency_mpd import PERIOD_QUERY
from ingest.ports import PlaybackAuthorizer, ViewingSessions
from ingest.presentation import Rendition
from ingest.window.live_window import LiveWindow

_HLS_TYPE = "application/vnd.apple.mpegurl"
_DASH_TYPE = "application/dash+xml"
_START_WAIT_S = 4.0
_HOLD_TARGETS = 3
"""A held request is answered after three Target Durations (rfc8216bis §6.2.5.2: 503)."""

_MEDIA_FILE = re.compile(r"(part|segment)-(\d{1,12})\.m4s")
_PERIOD = re.compile(r"\d{1,9}")
_DASH_SEGMENTS = 1_800
"""Of a longer window an MPD lists the newest: an hour."""

_HINT_AHEAD = 1
"""Parts behind the hinted one that a request may wait for; it was made from a newer playlist."""


class Delivery:
    """Handlers of the live plane. `windows` finds a stream's window; `live_root` holds its files.

    `accel_prefix` is nginx's internal location over `live_root`; empty: the daemon sends the file
    itself. `viewings` counts players by the session in their playlists' addresses; None: nobody.
    """

    def __init__(
        self,
        windows: Callable[[str], LiveWindow | None],
        live_root: Path,
        authorizer: PlaybackAuthorizer,
        clock: Clock,
        *,
        accel_prefix: str,
        viewings: ViewingSessions | None = None,
    ) -> None:
        self._windows = windows
        self._live_root = live_root
        self._authorizer = authorizer
        self._clock = clock
        self._accel_prefix = accel_prefix
        self._viewings = viewings
        self._rendered = RenderedPlaylists()
        self._held: WeakKeyDictionary[LiveWindow, HeldRequests] = WeakKeyDictionary()
        self._mpds = RenderedMpds("manifest.mpd")
        self._low_latency_mpds = LowLatencyMpds(clock)
        self._open_segments = OpenSegments(live_root, clock)

    @property
    def held_requests(self) -> int:
        """How many requests wait for a playlist, or for what is to come of a segment."""
        return sum(map(len, self._held.values())) + len(self._open_segments)

    def routes(self) -> list[web.RouteDef]:
        """The table, below `/live`."""
        return [
            web.get("/time", self.time),
            web.get("/{stream_id}/index.m3u8", self.multivariant),
            web.get("/{stream_id}/manifest.mpd", self.mpd),
            web.get("/{stream_id}/low-latency.mpd", self.low_latency_mpd),
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
        query = self._session_query(request)
        text = multivariant_playlist(window.presentation(), query=query)
        headers = _headers(caching.NEVER if query else caching.REVALIDATE)
        return web.Response(text=text, content_type=_HLS_TYPE, headers=headers)

    async def mpd(self, request: web.Request) -> web.Response:
        """The DASH manifest, once there is a finished segment of each track."""
        window = await self._window(request)
        await self._first_segments(window)
        query = self._session_query(request)

        def render(location: str) -> str:
            return live_mpd(
                window.presentation().newest(_DASH_SEGMENTS),
                now_wall_s=self._clock.wall_s(),
                time_url="../time",
                location=location,
                cues=window.cues,
                spans=window.spans.all,
            )

        text = self._mpds.text(window, finished_state(window), query, render)
        return _mpd_answer(text, query)

    async def low_latency_mpd(self, request: web.Request) -> web.Response:
        """The low-latency DASH manifest, once there is a finished segment of each track."""
        window = await self._window(request)
        self._low_latency_mpds.expect(window)
        await self._first_segments(window)
        query = self._session_query(request)
        return _mpd_answer(self._low_latency_mpds.text(window, query), query)

    async def media(self, request: web.Request) -> web.StreamResponse:
        """A Media Playlist, held as its delivery directives ask.

        Without any it is held until the rendition's first Media Segment is finished: players
        refuse a playlist that has Partial Segments alone.
        """
        window = await self._window(request)
        name = request.match_info["rendition"]
        if not await window.wait_started(_START_WAIT_S):
            raise NotThere("the stream has not started")
        query = request.query
        self._seen(request)
        wanted = parse_directives(query.get("_HLS_msn"), query.get("_HLS_part"))
        delta = wants_delta(query.get("_HLS_skip"))
        if wanted is None:
            await self._first_segments(window)
        rendition = _rendition(window, name)
        compressed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
        variant = Variant(name, delta, compressed)
        headers = _playlist_headers(rendition, variant, blocking=wanted is not None)
        if wanted is not None and decide(wanted, rendition) is Decision.WAIT:
            transport = may_be_sent(request)
            if transport is not None:
                head = await head_of(request, headers)
                waiting = self._waiting(window).answer(transport, head, variant, wanted)
                size = await self._in_time(waiting, rendition)
                self._seen(request)
                return SentResponse(size)
            rendition = await self._until(window, rendition, wanted)
        body = self._rendered.body(window, rendition, variant)
        return web.Response(body=body, headers=headers)

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
        hold_s = _HOLD_TARGETS * rendition.target_duration_s
        if match[1] == "segment" and _is_for_open_segments(request):
            stream_id, period = request.match_info["stream_id"], int(request.query[PERIOD_QUERY])
            wanted = Wanted(window, stream_id, name, number, period, hold_s)
            answer = await self._open_segments.answer(request, wanted)
            return answer or self._send(stream_id, name, file)
        deadline_s = self._clock.monotonic_s() + hold_s
        while not exists(rendition, number):
            left_s = deadline_s - self._clock.monotonic_s()
            if left_s <= 0 or not await window.wait_change(name, left_s):
                raise NotThere("the file did not come")
            rendition = _rendition(window, name)
        return self._send(request.match_info["stream_id"], name, file)

    def _session_query(self, request: web.Request) -> str:
        """What this player's further requests shall carry. Only those count: a player that
        forgets its session and asks anew each time must not be many.
        """
        if self._viewings is None:
            return ""
        stream_id = request.match_info["stream_id"]
        self._seen(request)
        offered = request.query.get("session", "")
        session = self._viewings.open(stream_id, offered, request)
        return session and f"?session={session}"

    def _seen(self, request: web.Request) -> None:
        if self._viewings is not None and "session" in request.query:
            stream_id, session = request.match_info["stream_id"], request.query["session"]
            self._viewings.seen(stream_id, session, request)

    def _waiting(self, window: LiveWindow) -> HeldRequests:
        waiting = self._held.get(window)
        if waiting is None:
            waiting = self._held[window] = HeldRequests(window, self._rendered)
        return waiting

    @staticmethod
    async def _in_time(answer: Awaitable[int], rendition: Rendition) -> int:
        """The answer's size; 503 when that takes too long."""
        try:
            async with asyncio.timeout(_HOLD_TARGETS * rendition.target_duration_s):
                return await answer
        except TimeoutError as error:
            raise NotInTime("the part did not come in time") from error

    async def _until(
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


def _mpd_answer(text: str, session_query: str) -> web.Response:
    headers = _headers(caching.NEVER if session_query else caching.REVALIDATE)
    return web.Response(text=text, content_type=_DASH_TYPE, headers=headers)


def _is_for_open_segments(request: web.Request) -> bool:
    """Whether it follows a low-latency MPD. A range of a segment needs all of it, and so does HEAD,
    which tells its length; HTTP/1.0 has no chunks."""
    if request.method != "GET" or "Range" in request.headers or request.version < HttpVersion11:
        return False
    return _PERIOD.fullmatch(request.query.get(PERIOD_QUERY, "")) is not None


def _has_part(rendition: Rendition, number: int) -> bool:
    return number < rendition.next_part


def _has_segment(rendition: Rendition, number: int) -> bool:
    last = rendition.segments[-1]
    return number < last.msn or (number == last.msn and last.finished)


def _playlist_headers(rendition: Rendition, variant: Variant, *, blocking: bool) -> dict[str, str]:
    cache = caching.REVALIDATE
    if blocking:
        cache = caching.blocking_reload(rendition.target_duration_s)
    encoding = {"Content-Encoding": "gzip"} if variant.compressed else {}
    common = {"Content-Type": _HLS_TYPE, "Vary": "Accept-Encoding"}
    return {**_headers(cache), **common, **encoding}


def _headers(cache_control: str) -> dict[str, str]:
    return {"Cache-Control": cache_control, "Access-Control-Allow-Origin": "*"}
