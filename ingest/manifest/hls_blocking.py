"""Blocking Playlist Reload: what a request's delivery directives mean for a window.

Pure (rfc8216bis §6.2.5.2). The caller waits and asks again after each change.
"""

from dataclasses import dataclass
from enum import Enum

from ingest.errors import IngestError
from ingest.presentation import Rendition

_MAX_SEGMENTS_AHEAD = 2
"""A request further ahead than this is a mistake and gets 400 (§6.2.5.2)."""


class BadDirective(IngestError):
    """A delivery directive that is malformed, alone without its fellow, or far in the future."""

    code = "bad_delivery_directive"


class Decision(Enum):
    """What to do with a blocking request now."""

    READY = "ready"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class BlockingRequest:
    """`_HLS_msn` and `_HLS_part`; `part` None waits for the whole segment."""

    msn: int
    part: int | None


def parse_directives(msn: str | None, part: str | None) -> BlockingRequest | None:
    """The directives as they stand in the query; None when there is none to wait for.

    Raises BadDirective for anything but decimal integers, and for a part without a segment.
    """
    if msn is None:
        if part is not None:
            raise BadDirective("_HLS_part needs _HLS_msn")
        return None
    return BlockingRequest(_integer("_HLS_msn", msn), None if part is None else _part(part))


def wants_delta(skip: str | None) -> bool:
    """Whether `_HLS_skip` asks for a delta update; BadDirective for a value that is none."""
    if skip not in {None, "YES", "v2"}:
        raise BadDirective("_HLS_skip must be YES or v2")
    return skip is not None


def decide(request: BlockingRequest, rendition: Rendition) -> Decision:
    """READY when the window holds what was asked for, WAIT when it will; BadDirective when the
    request is too far ahead."""
    last = rendition.last_msn
    if rendition.ended:
        return Decision.READY
    if request.msn > last + _MAX_SEGMENTS_AHEAD:
        raise BadDirective(
            f"_HLS_msn={request.msn} is more than {_MAX_SEGMENTS_AHEAD} segments ahead of {last}"
        )
    if request.msn < last:
        return Decision.READY
    if request.msn > last or not rendition.segments:
        return Decision.WAIT
    newest = rendition.segments[-1]
    if newest.finished:
        # A part behind the segment's last means the first part of the next segment.
        behind = request.part is not None and request.part >= len(newest.parts)
        return Decision.WAIT if behind else Decision.READY
    if request.part is None:
        return Decision.WAIT
    limit = 3 / min(1.0, rendition.part_target_s)
    if request.part > len(newest.parts) - 1 + limit:
        raise BadDirective(f"_HLS_part={request.part} is beyond the Advance Part Limit")
    return Decision.READY if len(newest.parts) > request.part else Decision.WAIT


def _part(text: str) -> int:
    return _integer("_HLS_part", text)


def _integer(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 15:  # noqa: PLR2004  below 2^53
        raise BadDirective(f"{name} must be a decimal integer")
    return int(text)
