"""Encoders wherever they are connected: to nginx-rtmp, or over WebRTC.

A publication's internal name tells which. It is the same question to both: is it there, and
disconnect it.
"""

from controller.publishing.nginx_rtmp import NginxRtmp
from ingest import WhipDesk

WEBRTC_PREFIX = "w_"
"""Of the internal names of publications over WebRTC."""


def is_over_webrtc(publication: str) -> bool:
    """Whether this internal name is one of WebRTC's."""
    return publication.startswith(WEBRTC_PREFIX)


class Encoders:
    """Asks whoever has the publication; NginxUnreachable as `NginxRtmp` raises it."""

    def __init__(self, nginx: NginxRtmp, whip: WhipDesk) -> None:
        self._nginx = nginx
        self._whip = whip

    async def is_publishing(self, publication: str) -> bool:
        """Whether an encoder is sending `publication` now."""
        if is_over_webrtc(publication):
            return self._whip.is_publishing(publication)
        return await self._nginx.is_publishing(publication)

    async def wait_player(self, publication: str, timeout_s: float) -> bool:
        """Wait until our puller plays `publication`; WebRTC has none."""
        return await self._nginx.wait_player(publication, timeout_s)

    async def drop_publisher(self, publication: str) -> bool:
        """Disconnect the encoder of `publication`; False when there was none."""
        if is_over_webrtc(publication):
            return self._whip.drop(publication)
        return await self._nginx.drop_publisher(publication)
