"""The settings of WebRTC as the media plane takes them."""

from controller.settings import Settings
from ingest import WebRtcBounds, WebRtcNetwork


def webrtc_bounds(settings: Settings) -> WebRtcBounds:
    """How many viewers there may be, and how long clients may take."""
    return WebRtcBounds(
        viewers=settings.webrtc_viewers,
        viewers_per_stream=settings.webrtc_viewers_per_stream,
        connect_s=settings.webrtc_connect_s,
    )


def webrtc_network(settings: Settings) -> WebRtcNetwork:
    """How peers reach this machine."""
    first, _, last = settings.webrtc_udp_ports.partition("-")
    return WebRtcNetwork(
        port_first=int(first or 0),
        port_last=int(last or 0),
        public_addresses=tuple(settings.webrtc_public_addresses),
    )
