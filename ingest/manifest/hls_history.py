"""The lines of segments that will not change, so that a playlist of hours is not written anew for
every part."""

import zlib
from collections.abc import Callable, Sequence

from ingest.presentation import Rendition, Segment

_BLOCK = 128
"""Segments whose lines are kept together."""

Writer = Callable[[Sequence[Segment], Segment | None], list[str]]
"""The lines of segments behind another one, of which none lists its parts."""


class PlaylistHistory:
    """Lines of one rendition's old segments, in compressed blocks: a dozen bytes a segment."""

    def __init__(self) -> None:
        self._blocks: dict[int, bytes] = {}

    def lines(self, rendition: Rendition, write: Writer) -> tuple[str, int]:
        """The text of the playlist's first segments, and how many those are: all that neither
        list parts nor grow, up to the last whole block; none in a short playlist."""
        blocks = _whole_blocks(rendition)
        for gone in [block for block in list(self._blocks) if block < blocks.start]:
            del self._blocks[gone]
        if not blocks:
            return "", 0
        self.write_ahead(rendition, write)
        segments = rendition.segments
        first = segments[0].msn
        texts = [_text(write(segments[: blocks.start * _BLOCK - first], None))]
        texts += [zlib.decompress(self._blocks[block]).decode() for block in blocks]
        return "".join(texts), blocks.stop * _BLOCK - first

    def write_ahead(self, rendition: Rendition, write: Writer) -> None:
        """Write what is not known yet of what `lines` will answer."""
        for block in _whole_blocks(rendition):
            if block not in self._blocks:
                start = block * _BLOCK - rendition.segments[0].msn
                some = rendition.segments[start - 1 : start + _BLOCK]
                text = _text(write(some[1:], some[0]))
                self._blocks[block] = zlib.compress(text.encode(), 6)


def _whole_blocks(rendition: Rendition) -> range:
    """Those of which all segments neither list parts nor grow; the first, through which the window
    may cut, is not among them."""
    first = rendition.segments[0].msn
    newest = first + len(rendition.segments) - 1
    return range(first // _BLOCK + 1, min(rendition.parts_from_msn, newest) // _BLOCK)


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
