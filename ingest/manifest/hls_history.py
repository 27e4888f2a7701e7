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
        segments = rendition.segments
        first = segments[0].msn
        begin = first // _BLOCK + 1  # the block behind the one that the window cuts through
        end = min(rendition.parts_from_msn, first + len(segments) - 1) // _BLOCK
        for gone in [block for block in self._blocks if block < begin]:
            del self._blocks[gone]
        if begin >= end:
            return "", 0
        texts = [_text(write(segments[: begin * _BLOCK - first], None))]
        for block in range(begin, end):
            kept = self._blocks.get(block)
            if kept is None:
                start = block * _BLOCK - first
                some = segments[start - 1 : start + _BLOCK]
                kept = self._blocks[block] = zlib.compress(
                    _text(write(some[1:], some[0])).encode(), 6
                )
            texts.append(zlib.decompress(kept).decode())
        return "".join(texts), end * _BLOCK - first


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
