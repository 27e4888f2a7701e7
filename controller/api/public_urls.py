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

    def low_latency_dash(self, stream_id: UUID, token: str | None = None) -> str:
        """The live MPD for players that play segments while they grow."""
        return f"{self.public_url}{_prefix(token)}/live/{stream_id}/low-latency.mpd"

    def whep(self, stream_id: UUID, token: str | None = None) -> str:
        """Where the live stream is watched over WebRTC."""
        return f"{self.public_url}{_prefix(token)}/live/{stream_id}/whep"

    @property
    def whip(self) -> str:
        """Where encoders publish over WebRTC."""
        return f"{self.public_url}/live/whip"

    def thumbnail(self, stream_id: UUID) -> str:
        """The newest picture of a live stream."""
        return f"{self.public_url}/live/{stream_id}/thumbnail.jpg"

    def clip(
        self, stream_id: UUID, clip_id: UUID, suffix: str = "mp4", *, limited: bool = False
    ) -> str:
        """A clip, or with the suffix `jpg` its picture; `limited`: not everybody may play it."""
        base = (self.private_vod_base_url if limited else "") or self.vod_base_url
        return f"{base}/vods/{stream_id}/clips/{clip_id}.{suffix}"

    def with_token(self, url: str | None, token: str | None) -> str | None:
        """An address of ours with the token in front of its path."""
        if url is None or token is None:
            return url
        for base in (self.vod_base_url, self.public_url):
            if url.startswith(f"{base}/"):
                return f"{base}{_prefix(token)}{url.removeprefix(base)}"
        return url

    def vod(self, stream_id: UUID, token: str | None = None) -> str:
        """The recording's Multivariant Playlist."""
        base = self.vod_base_url if token is None else self.private_vod_base_url
        return f"{base or self.vod_base_url}{_prefix(token)}/vods/{stream_id}.m3u8"

    def stored(self, key: str) -> str:
        """An object that is for everybody who knows its address."""
        return f"{self.vod_base_url}/{key}"


def _prefix(token: str | None) -> str:
    # In front of everything, so that every relative address in a playlist keeps it.
    return "" if token is None else f"/~{token}"
