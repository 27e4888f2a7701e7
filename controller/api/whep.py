"""Watching over WebRTC: `POST /live/{id}/whep` (draft-ietf-wish-whep).

An offer makes a session, at the address that its Location names; whoever knows that address may
end it. What cannot be had this way is refused with the address of the HLS playlist.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from controller.api.fields import parse_uuid
from controller.api.ice_servers import IceServers
from controller.api.playback_access import TOKEN_HEADER
from controller.api.public_urls import PublicUrls
from controller.api.sdp_exchange import (
    FRAGMENT_TYPE,
    created,
    no_content,
    only,
    options,
    read_sdp,
    refused,
    require_etag,
)
from controller.domain.ports import PlaybackAuthorizer
from controller.errors import PlaybackTokenNeeded, StreamNotFound
from ingest import ViewingSessions, WebRtcRefused, WhepDesk

_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class _Player:
    """What is kept of a request, for counting."""

    remote: str | None
    headers: Mapping[str, str]
    query: Mapping[str, str]
    cookies: Mapping[str, str]


class WhepHandlers:
    """The endpoint and its sessions."""

    def __init__(
        self,
        desk: WhepDesk,
        authorizer: PlaybackAuthorizer,
        urls: PublicUrls,
        ice_servers: IceServers,
        viewings: ViewingSessions,
    ) -> None:
        self._viewings = viewings
        self._desk = desk
        self._authorizer = authorizer
        self._urls = urls
        self._ice_servers = ice_servers

    def routes(self) -> list[web.RouteDef]:
        """Whole paths."""
        endpoint, session = "/live/{stream_id}/whep", "/live/{stream_id}/whep/{session}"
        return [
            web.post(endpoint, self.watch),
            web.options(endpoint, self.options),
            web.route("*", endpoint, only("OPTIONS", "POST")),
            web.patch(session, self.trickle),
            web.delete(session, self.hangup),
            web.route("*", session, only("DELETE", "OPTIONS", "PATCH")),
        ]

    async def watch(self, request: web.Request) -> web.Response:
        """201 with the SDP answer."""
        stream_id = _stream_id(request)
        token = _token(request)
        if not (await self._authorizer.authorize(stream_id, token)).allowed:
            raise PlaybackTokenNeeded
        offer = await read_sdp(request)
        try:
            session = await self._desk.watch(str(stream_id), offer, self._counting(request))
        except WebRtcRefused as error:
            return refused(request, error, self._urls.hls(stream_id, token))
        location = f"/live/{stream_id}/whep/{session.id}"
        return created(session, location, self._ice_servers.links())

    def _counting(self, request: web.Request) -> Callable[[], None]:
        """Counts whoever asks, for as long as it is called: as a player of HLS is counted."""
        stream_id = request.match_info["stream_id"]
        player = _Player(
            request.remote, dict(request.headers), dict(request.query), dict(request.cookies)
        )
        viewing = self._viewings.open(stream_id, player.query.get("session", ""), player)
        return lambda: self._viewings.seen(stream_id, viewing, player)

    async def options(self, _request: web.Request) -> web.Response:
        """What can be posted, and which ICE servers there are."""
        return options(self._ice_servers.links())

    async def trickle(self, request: web.Request) -> web.Response:
        """204 when the candidates were taken (RFC 9725 §4.3.1)."""
        stream_id, session = _stream_id(request), request.match_info["session"]
        try:
            require_etag(request, self._desk.etag(str(stream_id), session))
            fragment = await read_sdp(request, FRAGMENT_TYPE)
            await self._desk.trickle(str(stream_id), session, fragment)
        except WebRtcRefused as error:
            return refused(request, error)
        return no_content()

    async def hangup(self, request: web.Request) -> web.Response:
        """200: the session is over."""
        try:
            self._desk.hangup(str(_stream_id(request)), request.match_info["session"])
        except WebRtcRefused as error:
            return refused(request, error)
        return web.Response(status=200)


def _stream_id(request: web.Request) -> UUID:
    try:
        return parse_uuid(request.match_info["stream_id"])
    except ValueError as error:
        raise StreamNotFound from error


def _token(request: web.Request) -> str | None:
    """The playback token: of the address, as nginx found it there, or as a bearer token."""
    sent = request.headers.get("Authorization", "")
    bearer = sent[len(_BEARER) :].strip() if sent.lower().startswith(_BEARER) else ""
    return request.headers.get(TOKEN_HEADER) or bearer or None
