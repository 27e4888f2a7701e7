"""The media plane's own settings; whoever starts a session fills them in."""

from dataclasses import dataclass

PART_TARGET_SLACK = 1.05
"""PART-TARGET over the nominal part: frames do not divide it, milliseconds round."""

_LONGEST_AUDIO_FRAME_S = 0.064
"""1024 samples at 16 kHz: audio follows a cut at its next frame, and so can be longer by one."""


@dataclass(frozen=True, slots=True)
class PackagingSettings:
    """How media is cut; all durations in seconds."""

    part_target_s: float = 0.2
    segment_target_s: float = 2.0

    @property
    def part_limit_s(self) -> float:
        """EXT-X-PART-INF:PART-TARGET: no Partial Segment is longer."""
        return self.part_target_s * PART_TARGET_SLACK

    @property
    def target_duration_s(self) -> int:
        """EXT-X-TARGETDURATION, fixed for the life of the playlist (RFC 8216 §4.3.3.1)."""
        return max(1, -(-int(self.segment_target_s * 1000) // 1000))

    @property
    def segment_limit_s(self) -> float:
        """Longest Media Segment whose audio still rounds to the Target Duration."""
        return self.target_duration_s + 0.49 - _LONGEST_AUDIO_FRAME_S

    @property
    def follower_limit_s(self) -> float:
        """Longest Media Segment of a track that follows another's cuts."""
        return self.target_duration_s + 0.49
