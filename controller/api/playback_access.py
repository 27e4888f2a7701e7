"""What nginx's auth_request asks before it gives out media (see
docs/decisions/0003-playback-access.md). Not part of the public API.
"""

from aiohttp import web

from controller.api.fields import parse_uuid
from controller.domain.access import PlaybackDecision, PlaybackRefusal
from controller.domain.ports import PlaybackAuthorizer

PATH = "/internal/playback-access"
STREAM_HEADER = "X-Playback-Stream"
TOKEN_HEADER = "X-Playback-Token"  # noqa: S105 - the header's name


class PlaybackAccessHandler:
    """204 with a max-age for how long the answer holds, or 403 that nobody may keep."""

    def __init__(self, authorizer: PlaybackAuthorizer) -> None:
        self._authorizer = authorizer

    async def answer(self, request: web.Request) -> web.Response:
        """The decision for the stream and the token in the two headers."""
        decision = await self._decide(request)
        if decision.allowed:
            return web.Response(
                status=204, headers={"Cache-Control": f"max-age={decision.valid_for_s}"}
            )
        headers = {"Cache-Control": "no-store"}
        if decision.refusal is not None:
            headers["X-Playback-Refusal"] = decision.refusal
        return web.Response(status=403, headers=headers)

    async def _decide(self, request: web.Request) -> PlaybackDecision:
        try:
            stream_id = parse_uuid(request.headers.get(STREAM_HEADER))
        except ValueError:
            return PlaybackDecision(allowed=False, refusal=PlaybackRefusal.UNKNOWN_STREAM)
        token = request.headers.get(TOKEN_HEADER) or None
        return await self._authorizer.authorize(stream_id, token)
