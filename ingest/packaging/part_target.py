"""How long the Partial Segments of a rendition may be: PART-TARGET, fixed for its life.

A part holds whole frames. rfc8216bis §4.4.4.9 wants none longer than PART-TARGET, and none but the
last of a segment or one with a keyframe shorter than 85 % of it: what the frames allow, not what
was asked for, decides. Clients give up on playlists whose PART-TARGET changes, so it is settled
before the first part, from the first frames.
"""

from ingest.settings import PART_TARGET_SLACK

_SHORTEST = 0.85


def part_target_s(nominal_s: float, frame_s: float | None, longest_s: float) -> float:
    """PART-TARGET in seconds, in whole milliseconds, for parts of about `nominal_s`.

    With frames of `frame_s`: as many as fit; one, when not even one does. None: not known.
    `longest_s`: no part is longer than a segment.
    """
    limit_s = nominal_s * PART_TARGET_SLACK
    if not frame_s:
        return round(limit_s, 3)
    filled_s = max(1, int(limit_s / frame_s)) * frame_s
    if _SHORTEST * limit_s <= filled_s <= limit_s:
        return round(limit_s, 3)
    return round(min(filled_s * PART_TARGET_SLACK, longest_s), 3)
