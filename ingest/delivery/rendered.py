"""Media Playlists as bytes: rendered once per change of the window, however many ask."""

import gzip
from email.utils import formatdate
from typing import NamedTuple
from weakref import WeakKeyDictionary

from ingest.manifest.hls_dateranges import DateRanges
from ingest.manifest.hls_history import PlaylistHistory
from ingest.manifest.hls_playlist import media_playlist
from ingest.presentation import Rendition
from ingest.window.live_window import LiveWindow

_GZIP_LEVEL = 4


class Variant(NamedTuple):
    """One of the forms of a rendition's playlist: a delta update or whole, compressed or not."""

    name: str
    delta: bool
    compressed: bool


class _Body(NamedTuple):
    version: int
    data: bytes
    tail: bytes


class RenderedPlaylists:
    """The playlists of all windows; those of a window that is gone go with it."""

    def __init__(self) -> None:
        self._bodies: WeakKeyDictionary[LiveWindow, dict[Variant, _Body]] = WeakKeyDictionary()
        self._histories: WeakKeyDictionary[LiveWindow, dict[str, PlaylistHistory]] = (
            WeakKeyDictionary()
        )
        self._date_ranges: WeakKeyDictionary[LiveWindow, DateRanges] = WeakKeyDictionary()

    def body(self, window: LiveWindow, rendition: Rendition, variant: Variant) -> bytes:
        """The playlist as the window is now."""
        return self._rendered(window, rendition, variant).data

    def tail(self, window: LiveWindow, rendition: Rendition, variant: Variant) -> bytes:
        """The end of an HTTP answer: the header fields that all share, and the playlist."""
        return self._rendered(window, rendition, variant).tail

    def _rendered(self, window: LiveWindow, rendition: Rendition, variant: Variant) -> _Body:
        bodies = self._bodies.setdefault(window, {})
        kept = bodies.get(variant)
        if kept is not None and kept.version == window.version:
            return kept
        if variant.compressed:
            plain = self.body(window, rendition, variant._replace(compressed=False))
            data = gzip.compress(plain, _GZIP_LEVEL, mtime=0)
        else:
            renditions = window.presentation().renditions
            others = [other for other in renditions if other.name != rendition.name]
            histories = self._histories.setdefault(window, {})
            history = histories.setdefault(rendition.name, PlaylistHistory())
            text = media_playlist(
                rendition,
                others,
                skip=variant.delta,
                history=history,
                date_ranges=self._date_ranges_of(window, rendition),
            )
            data = text.encode()
        fields = f"Content-Length: {len(data)}\r\nDate: {formatdate(usegmt=True)}\r\n\r\n"
        body = bodies[variant] = _Body(window.version, data, fields.encode() + data)
        return body

    def _date_ranges_of(self, window: LiveWindow, rendition: Rendition) -> list[str]:
        """What is told of the cues in the window, in every rendition alike."""
        if not window.cues:
            return []
        known = self._date_ranges.setdefault(window, DateRanges())
        first_wall_s = rendition.segments[0].wall_s
        return known.lines(window.cues, window.spans.all, first_wall_s, ended=window.ended)


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header names gzip (RFC 9110 §12.5.3)."""
    for coding in accept_encoding.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in {"gzip", "x-gzip"}:
            return weight.replace(" ", "").rstrip("0.") != "q="
    return False
