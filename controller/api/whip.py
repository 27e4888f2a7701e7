"""Publishing over WebRTC: `POST /live/whip` with the stream key as the bearer token (RFC 9725)."""

from aiohttp import web

from controller.api.client_address import ClientAddress
from controller.api.ice_servers import IceServers
from controller.api.sdp_exchange import (
    FRAGMENT_TYPE,
    created,
    no_content,
    only,
    options,
    publish_refused,
    read_sdp,
    refused,
    require_etag,
)
from controller.errors import NotAuthenticated
from controller.publishing.refusals import PublishRefused
from controller.publishing.webrtc_publishing import WebRtcPublishing
from ingest import WebRtcRefused, etag_of

_BEARER = "bearer "


class WhipHandlers:
    """The endpoint and its sessions."""

    def __init__(
        self,
        publishing: WebRtcPublishing,
        client_address: ClientAddress,
        ice_servers: IceServers,
    ) -> None:
        self._publishing = publishing
        self._client_address = client_address
        self._ice_servers = ice_servers

    def routes(self) -> list[web.RouteDef]:
        """Whole paths."""
        endpoint, session = "/live/whip", "/live/whip/{session}"
        return [
            web.post(endpoint, self.publish),
            web.options(endpoint, self.options),
            web.route("*", endpoint, only("OPTIONS", "POST")),
            web.patch(session, self.trickle),
            web.delete(session, self.end),
            web.route("*", session, only("DELETE", "OPTIONS", "PATCH")),
        ]

    async def publish(self, request: web.Request) -> web.Response:
        """201 with the SDP answer: the publication has begun."""
        key = _key(request)
        offer = await read_sdp(request)
        address = self._client_address.of(
            request.remote, request.headers.get("X-Forwarded-For", "")
        )
        try:
            session = await self._publishing.publish(key, address, offer)
        except PublishRefused as refusal:
            return publish_refused(request, refusal)
        except WebRtcRefused as error:
            return refused(request, error)
        return created(session, f"/live/whip/{session.id}", self._ice_servers.links())

    async def options(self, _request: web.Request) -> web.Response:
        """What can be posted, and which ICE servers there are."""
        return options(self._ice_servers.links())

    async def trickle(self, request: web.Request) -> web.Response:
        """204 when the candidates were taken."""
        key, session = _key(request), request.match_info["session"]
        try:
            self._publishing.require(key, session)
            require_etag(request, etag_of(session))
            fragment = await read_sdp(request, FRAGMENT_TYPE)
            await self._publishing.trickle(key, session, fragment)
        except WebRtcRefused as error:
            return refused(request, error)
        return no_content()

    async def end(self, request: web.Request) -> web.Response:
        """200: the publication ends."""
        try:
            self._publishing.end(_key(request), request.match_info["session"])
        except WebRtcRefused as error:
            return refused(request, error)
        return web.Response(status=200)


def _key(request: web.Request) -> str:
    sent = request.headers.get("Authorization", "")
    key = sent[len(_BEARER) :].strip() if sent.lower().startswith(_BEARER) else ""
    if not key:
        raise NotAuthenticated("The stream key is needed as the bearer token")
    return key
