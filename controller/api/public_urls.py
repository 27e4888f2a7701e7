"""The addresses that clients are given."""

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class PublicUrls:
    """Where encoders push and players play; no trailing slashes."""

    public_url: str
    rtmp_url: str
    vod_base_url: str
    private_vod_base_url: str = ""

    def hls(self, stream_id: UUID, token: str | None = None) -> str:
        """The live Multivariant Playlist."""
        return f"{self.public_url}{_prefix(token)}/live/{stream_id}/index.m3u8"

    def dash(self, stream_id: UUID, token: str | None = None) -> str:
        """The live MPD."""
        return f"{self.public_url}{_prefix(token)}/live/{stream_id}/manifest.mpd"

    def vod(self, stream_id: UUID, token: str | None = None) -> str:
        """The recording's Multivariant Playlist."""
        base = self.vod_base_url if token is None else self.private_vod_base_url
        return f"{base or self.vod_base_url}{_prefix(token)}/vods/{stream_id}.m3u8"


def _prefix(token: str | None) -> str:
    # In front of everything, so that every relative address in a playlist keeps it.
    return "" if token is None else f"/~{token}"
