"""Recordings that not everybody may play, kept in a bucket that nobody else may read.

Playlists come through here; each media file is a redirect to a signed address that is good for a
short while, so that the bytes go from the bucket to the player.
"""

import re
from typing import Protocol

from aiohttp import web

from ingest.delivery.problems import NotInTime, NotThere, TokenNeeded, answer_problems
from ingest.errors import ObjectStoreError
from ingest.ports import PlaybackAuthorizer

_STREAM = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?:\.|/)")
_NAME = re.compile(r"[A-Za-z0-9_-]+(?:/[A-Za-z0-9_-]+)*\.[a-z0-9]{2,5}")
_TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",
    "mpd": "application/dash+xml",
    "vtt": "text/vtt",
}
_MOST_BYTES = 32 << 20
_SIGNED_FOR_S = 300
_KEPT_FOR_S = 60
_CORS = {"Access-Control-Allow-Origin": "*"}


class SignedObjects(Protocol):
    """A bucket, for reading."""

    async def read(self, key: str, most_bytes: int) -> bytes | None:
        """The object's content; None when there is none. Raises ObjectStoreError."""
        ...

    async def signed_url(self, key: str, valid_s: int) -> str:
        """Where anybody can read the object for `valid_s` seconds."""
        ...


class VodDelivery:
    """Handlers below `/vods`; the playback token decides, whoever stands in front."""

    def __init__(self, objects: SignedObjects, authorizer: PlaybackAuthorizer) -> None:
        self._objects = objects
        self._authorizer = authorizer

    async def answer(self, request: web.Request) -> web.Response:
        """A playlist's content, or where the media file is."""
        name = request.match_info["name"]
        stream = _STREAM.match(name)
        if stream is None or _NAME.fullmatch(name) is None:
            raise NotThere("no such recording")
        token = request.headers.get("X-Playback-Token") or None
        if not await self._authorizer.may_play(stream.group(1), token):
            raise TokenNeeded("a playback token is needed")
        media_type = _TYPES.get(name.rpartition(".")[2])
        try:
            if media_type is None:
                return await self._redirect(f"vods/{name}")
            return await self._content(f"vods/{name}", media_type)
        except ObjectStoreError as error:
            raise NotInTime("the store does not answer") from error

    async def _content(self, key: str, media_type: str) -> web.Response:
        body = await self._objects.read(key, _MOST_BYTES)
        if body is None:
            raise NotThere("no such recording")
        headers = {"Cache-Control": f"private, max-age={_KEPT_FOR_S}", **_CORS}
        return web.Response(body=body, content_type=media_type, headers=headers)

    async def _redirect(self, key: str) -> web.Response:
        url = await self._objects.signed_url(key, _SIGNED_FOR_S)
        headers = {"Location": url, "Cache-Control": f"private, max-age={_KEPT_FOR_S}", **_CORS}
        return web.Response(status=302, headers=headers)


def create_vod_delivery(delivery: VodDelivery) -> web.Application:
    """The sub-application, to be mounted at `/vods`."""
    app = web.Application(middlewares=[answer_problems])
    app.add_routes([web.get("/{name:.+}", delivery.answer)])
    return app
