"""Players as viewers: the session in their playlists' addresses, and the beacon behind a CDN.

`POST /api/v1/streams/{stream_id}/watching` says that somebody watches who is not seen here: a
cache answers its playlists. It is sent every `repeatAfterSeconds`; a page that is left may say so.
"""

from collections.abc import Callable
from uuid import UUID

import msgspec
from aiohttp import web

from controller.domain.rehearsals import is_rehearsal
from controller.errors import FieldError, InvalidRequest, MalformedJson, PayloadTooLarge
from controller.hub.cmcd import read_request
from controller.hub.commands import read_stream_id
from controller.hub.endpoint.credentials import Caller, Credentials, token_of
from controller.hub.guests import GUEST_COOKIE, GuestSessions
from controller.hub.hub import Hub
from controller.hub.limits import HubLimits
from controller.hub.quality import QualityBook
from controller.hub.viewing_sessions import ViewingSessions
from controller.hub.watchers import Watchers
from ingest import PlayerRequest

SESSION_MAX = 256
"""Characters."""

_MOST_BYTES = 4_096
_BEACONS_PER_LIFE = 2.5


class PlayerSessions:
    """The media plane's `ViewingSessions`: a browser's player is the guest of its cookie."""

    def __init__(
        self,
        watchers: Watchers,
        sessions: ViewingSessions,
        guests: GuestSessions,
        country_of: Callable[[PlayerRequest], str | None],
        quality: QualityBook,
    ) -> None:
        self._watchers = watchers
        self._sessions = sessions
        self._guests = guests
        self._country_of = country_of
        self._quality = quality

    def open(self, stream_id: str, offered: str, request: PlayerRequest) -> str:
        """See ingest's `ViewingSessions.open`."""
        stream = _counted(stream_id)
        if stream is None:
            return ""
        if offered and self._sessions.read(stream, offered) is not None:
            return offered
        guest = self._guests.recognise(request.cookies.get(GUEST_COOKIE, ""))
        return self._sessions.issue(stream, guest.viewer)

    def seen(self, stream_id: str, session: str, request: PlayerRequest) -> None:
        """See ingest's `ViewingSessions.seen`."""
        stream = _counted(stream_id)
        if stream is not None:
            self._watchers.seen(stream, session, lambda: self._country_of(request))
            told = read_request(request.query, request.headers)
            if told is not None:
                self._quality.told(stream, told)


class _Beacon(msgspec.Struct):
    """What a beacon says: which session, and whether this is its last."""

    session: str = ""
    leaving: bool = False


class WatchingEndpoint:
    """Beacons. What is no session of ours gets one, and counts when it comes back with it."""

    def __init__(
        self,
        hub: Hub,
        watchers: Watchers,
        sessions: ViewingSessions,
        credentials: Credentials,
        limits: HubLimits,
    ) -> None:
        self._hub = hub
        self._watchers = watchers
        self._sessions = sessions
        self._credentials = credentials
        self._repeat_s = max(1, int(limits.unseen_s / _BEACONS_PER_LIFE))

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one beacon; StreamNotFound, StreamNotLive, NotInAudience, NotAuthenticated."""
        stream_id = read_stream_id({"stream_id": request.match_info["stream_id"]})
        beacon = await _beacon(request)
        session, is_known = await self._session(request, stream_id, beacon.session)
        if beacon.leaving:
            self._watchers.left(stream_id, session)
        elif is_known:
            self._watchers.seen(stream_id, session, lambda: self._credentials.country(request))
        data = {"session": session, "repeatAfterSeconds": self._repeat_s}
        return web.json_response(
            {"success": True, "data": data}, headers={"Cache-Control": "no-store"}
        )

    async def _session(
        self, request: web.Request, stream_id: UUID, offered: str
    ) -> tuple[str, bool]:
        """The caller's session, and whether it was known before."""
        is_own = bool(offered) and self._sessions.read(stream_id, offered) is not None
        if is_own and token_of(request) is None:
            await self._hub.require_watchable(stream_id)
            return offered, True
        caller, is_known = await self._caller(request, offered)
        await self._hub.require_watchable(stream_id, caller.identity, caller.viewer)
        return self._sessions.issue(stream_id, caller.viewer), is_known

    async def _caller(self, request: web.Request, offered: str) -> tuple[Caller, bool]:
        token = token_of(request)
        if token is not None:
            return await self._credentials.user(request, token), True
        brought = offered or request.cookies.get(GUEST_COOKIE, "")
        guest = self._credentials.guest(brought, request)
        return guest, guest.guest_token == brought


async def _beacon(request: web.Request) -> _Beacon:
    """Whatever its content type says: `navigator.sendBeacon` sends text."""
    body = await request.content.read(_MOST_BYTES + 1)
    while len(body) <= _MOST_BYTES and not request.content.at_eof():
        body += await request.content.read(_MOST_BYTES + 1 - len(body))
    if len(body) > _MOST_BYTES:
        raise PayloadTooLarge
    try:
        return _checked(msgspec.json.decode(body or b"{}", type=_Beacon))
    except msgspec.ValidationError:
        raise InvalidRequest([FieldError("body", "", "must be a beacon", "invalid")]) from None
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise MalformedJson from None


def _checked(beacon: _Beacon) -> _Beacon:
    if len(beacon.session) > SESSION_MAX:
        reason = f"must have at most {SESSION_MAX} characters"
        raise InvalidRequest([FieldError("body", "session", reason, "too_long")])
    return beacon


def _counted(stream_id: str) -> UUID | None:
    """The stream whose viewers are counted; a rehearsal's only one is its host."""
    try:
        stream = UUID(stream_id)
    except ValueError:
        return None
    return None if is_rehearsal(stream) else stream
