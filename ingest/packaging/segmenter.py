"""Cuts tracks into Media Segments and Partial Segments; no I/O, no clock.

One segmenter serves one Period: its tracks are fixed. One track leads (the video track, or the
audio track when there is no other) and decides where Media Segments end; the other follows at its
first sample at or behind the leader's cut, so both count the same Media Sequence Numbers.

Where the leader cuts:
  - at a keyframe, when waiting for the next one (one more GOP of the last length) would make the
    segment longer than the Target Duration allows;
  - without a keyframe, when the segment would otherwise outgrow the Target Duration: an encoder
    whose GOP is longer breaks into segments that do not start with a keyframe, rather than into
    ones that are longer than the playlist promised (RFC 8216 §4.3.3.1).

A track that stays away for longer than a segment may last leaves gaps: Media Segments without
parts, none of them longer than the others may be. In those of the picture the last keyframe stands
still, where that does not break what follows.
"""

from collections import deque
from collections.abc import Sequence

from ingest.checkpoint import SegmenterState
from ingest.media import AudioFormat, MediaKind, Sample, TrackFormat
from ingest.packaging.open_track import OpenTrack, SegmentSink
from ingest.settings import PackagingSettings

_MAX_PENDING_CUTS = 2
"""Segments that the follower may be behind before it goes on without its missing samples."""


_DRIFT_PARTS = 50
"""Audio that moves by less than 1/50 s goes on where it was: one frame lasts as much longer or
shorter, so that what manifests say of a segment is what its media have. More is a hole."""


class Segmenter:
    """Samples of one Period in, parts and segments out to `sink`.

    `tracks` holds at most one format of each kind; `next_msn` and `next_numbers` (parts, by kind)
    carry on from the Period before; `part_targets` are in seconds, those of `settings` unless
    given. Samples of a track come in decode order.
    """

    def __init__(
        self,
        tracks: Sequence[TrackFormat],
        settings: PackagingSettings,
        sink: SegmentSink,
        *,
        next_msn: int = 0,
        next_numbers: dict[MediaKind, int] | None = None,
        part_targets: dict[MediaKind, float] | None = None,
    ) -> None:
        numbers, limits = next_numbers or {}, part_targets or {}
        self._tracks = {
            track.kind: OpenTrack(
                track,
                numbers.get(track.kind, 0),
                next_msn,
                sink,
                limits.get(track.kind, settings.part_limit_s),
            )
            for track in tracks
        }
        self._video = self._tracks.get(MediaKind.VIDEO)
        self._audio = self._tracks.get(MediaKind.AUDIO)
        self._segment_limit_s = settings.segment_limit_s
        self._segment_target_s = settings.segment_target_s
        self._follow_limit_s = settings.follower_limit_s
        self._pending: Sample | None = None  # the frame whose duration the next one tells
        self._last_duration = 0
        self._last_key_dts = 0
        self._last_key = b""
        self._cuts: deque[float] = deque()  # presentation times (s) that audio has yet to reach

    @property
    def next_msn(self) -> int:
        """Media Sequence Number behind the last finished segment of the leading track."""
        return max((track.msn for track in self._tracks.values()), default=0)

    @property
    def next_numbers(self) -> dict[MediaKind, int]:
        """Number of each rendition's next part."""
        return {kind: track.number for kind, track in self._tracks.items()}

    def open_samples(self, kind: MediaKind) -> int:
        """Samples in the open part of the track of `kind`."""
        return self._tracks[kind].open_samples

    def segment_opens(self) -> bool:
        """Whether the leading track stands at the start of a segment, with nothing in it yet."""
        track = self._video or self._audio
        return track is not None and track.opens_segment(held=0 if self._video else 1)

    def state(self) -> SegmenterState:
        """What is needed to go on from the first samples of the open parts.

        The frame that waits for its duration counts as not taken.
        """
        return SegmenterState(
            tracks={kind.value: track.state() for kind, track in self._tracks.items()},
            cuts=list(self._cuts),
            last_duration=self._last_duration,
            last_key_dts=self._last_key_dts,
        )

    def restore(self, state: SegmenterState) -> None:
        """Go on from `state`, taken by a segmenter of the same tracks and settings."""
        for kind, track in self._tracks.items():
            track.restore(state.tracks[kind.value])
        self._cuts.extend(state.cuts)
        self._last_duration, self._last_key_dts = state.last_duration, state.last_key_dts

    def video(self, sample: Sample) -> None:
        """Take a video access unit; the first of the Period is a keyframe."""
        track = self._video
        if track is None:
            raise ValueError("this Period has no video track")
        pending = self._pending
        self._pending = sample
        if pending is not None and pending.is_key:
            self._last_key = pending.data
        if pending is None:
            if not track.started:
                track.start(sample)
                self._last_key_dts = sample.dts
            return
        duration = sample.dts - pending.dts
        if duration > self._limit(track):
            self._bridge_video(track, pending, sample, still=sample.is_key)
        else:
            self._last_duration = duration
            self._make_room(track, pending, duration)
            track.take(pending, duration)
            if self._video_segment_ends(track, sample, duration):
                self._cut_video(track, sample)
            elif track.part_span + duration > track.part_limit:
                track.end_part()
        if sample.is_key:
            self._last_key_dts = sample.dts

    def audio(self, sample: Sample) -> None:
        """Take an audio frame."""
        track = self._audio
        if track is None or not isinstance(track.format, AudioFormat):
            raise ValueError("this Period has no audio track")
        duration = track.format.frame_samples
        if not track.started:
            while self._cuts and sample.dts >= self._cuts[0] * track.timescale:
                self._end_audio_at(track, self._cuts.popleft())  # it was silent until here
            track.start(sample)
        else:
            move = sample.dts - max(track.end, track.segment_start)
            if abs(move) * _DRIFT_PARTS > track.timescale:
                track.end_part()  # a hole: it lies between two chunks
            elif move:
                sample, duration = sample._replace(dts=sample.dts - move), duration + move
        self._cut_audio(track, sample, duration)
        if track.part_span + duration > track.part_limit:
            track.end_part()
        track.take(sample, duration)

    def _cut_audio(self, track: OpenTrack, sample: Sample, duration: int) -> None:
        """End the segments that `sample` does not belong to."""
        hole = (sample.dts - track.end) * _DRIFT_PARTS > track.timescale
        if self._video is None:
            self._bridge_audio(track, sample)
            if sample.dts - track.segment_start >= self._segment_target_s * track.timescale:
                track.end_segment(sample.dts)
            return
        while self._cuts and sample.dts >= self._cuts[0] * track.timescale:
            if not (hole or track.holds_media):
                break  # a segment shorter than a frame: it gets this one
            cut_s = self._cuts.popleft()
            if hole:  # it belongs to no segment, or one would be as long as it is
                self._end_audio_at(track, cut_s)
            else:
                track.end_segment(sample.dts)
        if hole:
            self._bridge_audio(track, sample)
        span = sample.dts + duration - track.segment_start
        if span > self._follow_limit_s * track.timescale:
            if self._cuts:
                self._cuts.popleft()  # it would come too late by a frame or two
            track.end_segment(sample.dts)  # else the video has stopped: go on without it

    def finish(self) -> None:
        """Close what is open; the last frame lasts as long as the one before it, or until its
        segment is full when the sound goes on without it."""
        video, audio = self._video, self._audio
        if video is not None and self._pending is not None:
            self._finish_video(video, self._pending)
            self._pending = None
        if audio is not None and (audio.started or video is not None):
            while self._cuts:
                self._end_audio_at(audio, self._cuts.popleft())
            if video is None or audio.msn < video.msn or audio.holds_media:
                audio.end_segment(max(audio.end, audio.segment_start))

    def _finish_video(self, track: OpenTrack, pending: Sample) -> None:
        audio = self._audio
        end = 0
        if audio is not None and audio.started:
            end = audio.end * track.timescale // audio.timescale - track.shift
        if end - pending.dts > self._limit(track) or (audio and audio.msn > track.msn):
            self._last_key = pending.data if pending.is_key else self._last_key
            behind = pending._replace(dts=max(end, pending.dts))
            self._bridge_video(track, pending, behind, still=True)
        else:
            track.take(pending, self._last_duration or track.timescale // 30)
            track.end_segment(track.end)

    def _limit(self, track: OpenTrack) -> int:
        """Ticks that a segment may last."""
        return int(self._segment_limit_s * track.timescale)

    def _bridge_video(
        self, track: OpenTrack, pending: Sample, sample: Sample, *, still: bool
    ) -> None:
        """`sample` comes too late for `pending` to last until then: `pending` stays until its
        segment is full. In the rest the last keyframe stands still, as few players go on without
        a picture; it is a gap unless what follows can do without what came before (`still`).
        Audio that went on alone has cut its segments alike, if by another clock: some of the gaps
        may have no length."""
        limit = self._limit(track)
        usual = min(self._last_duration or track.timescale // 30, limit)
        if pending.dts + usual - track.segment_start > limit:
            self._cut_video(track, pending)
        track.end_part()
        full = track.segment_start + limit
        track.take(pending, full - pending.dts)
        self._cut_video(track, sample._replace(dts=full))
        ahead = self._audio.msn - track.msn if self._audio is not None else -1
        longest = int(self._follow_limit_s * track.timescale)
        end = max(full, sample.dts)
        pieces = max(-(-(end - full) // longest), ahead + 1)
        for piece in range(1, pieces + 1):
            at = _between(full, end, piece, pieces)
            if still and self._last_key and at > track.segment_start:
                picture = Sample(track.segment_start, track.shift, True, self._last_key)
                track.take(picture, at - track.segment_start)
            self._cut_video(track, sample._replace(dts=at))

    def _bridge_audio(self, track: OpenTrack, sample: Sample) -> None:
        """Close the segments that end in the hole before `sample`, with what they have."""
        limit = self._limit(track)
        while sample.dts - track.segment_start > limit:
            if self._cuts:
                self._cuts.popleft()
            track.end_segment(max(track.end, track.segment_start + limit))

    def _make_room(self, track: OpenTrack, pending: Sample, duration: int) -> None:
        """Close what `pending` does not fit, when it lasts longer than was expected."""
        if pending.dts + duration - track.segment_start > self._segment_limit_s * track.timescale:
            if pending.dts > track.segment_start:
                self._cut_video(track, pending)
        elif track.part_span + duration > track.part_limit:
            track.end_part()

    def _cut_video(self, track: OpenTrack, first: Sample) -> None:
        """End the segment before `first`; audio follows, unless it went ahead already."""
        audio = self._audio
        if audio is not None and audio.msn <= track.msn:
            cut_s = (first.dts + first.cts_offset) / track.timescale
            # what has come already stays where it is, also when it is read again
            self._cuts.append(max(cut_s, (audio.end - 0.5) / audio.timescale))
        track.end_segment(first.dts)
        self._drop_overdue_cuts()

    def _video_segment_ends(self, track: OpenTrack, sample: Sample, duration: int) -> bool:
        elapsed = sample.dts - track.segment_start
        limit = self._segment_limit_s * track.timescale
        if sample.is_key:
            return elapsed + (sample.dts - self._last_key_dts) > limit
        if track.too_long or duration > track.part_limit:
            limit = min(limit, duration + self._segment_target_s * track.timescale / 2)
        return elapsed + duration > limit

    def _drop_overdue_cuts(self) -> None:
        """Audio that stays away does not hold up its playlist: its segments close without it."""
        while self._audio is not None and len(self._cuts) > _MAX_PENDING_CUTS:
            self._end_audio_at(self._audio, self._cuts.popleft())

    def _end_audio_at(self, track: OpenTrack, cut_s: float) -> None:
        latest_s = track.segment_start / track.timescale + self._follow_limit_s
        cut = int(min(cut_s, latest_s) * track.timescale)
        track.end_segment(max(track.end, track.segment_start, cut))


def _between(start: int, end: int, piece: int, pieces: int) -> int:
    """Where the first `piece` of so many `pieces` between `start` and `end` ends."""
    return start + (end - start) * piece // pieces
