"""Encoder milliseconds to track clocks: repair, rebase to the Period's start, wall-clock anchor.

Pure: packets in, samples out. A Period starts at media time 0 with the first video keyframe, or
with the first audio frame where there is no video track. A jump of more than `MAX_JUMP_MS` in
either direction, away from all tracks, ends the Period (RFC 8216 §4.3.2.3, a Discontinuity), and
so does a hole in all tracks that is longer than a Media Segment may be. Sound that pauses while
the picture goes on is silence until it comes back; where the picture pauses, its last keyframe
stands still until the next one comes.
"""

from dataclasses import dataclass
from typing import NamedTuple

from ingest.checkpoint import TimelineState
from ingest.media import (
    VIDEO_TIMESCALE,
    AudioFormat,
    MediaKind,
    Packet,
    Sample,
    TrackFormat,
    VideoFormat,
)
from ingest.packaging.silence import silent_frame
from ingest.source.patience import LEAST_MARGIN_MS, Patience
from ingest.source.still_picture import StillPicture

MAX_JUMP_MS = 10_000
"""Farther than this from the last packet of every track, a packet is on another timeline."""

_HOLE_PARTS = 16
"""Audio is counted in samples; a stamp more than 1/16 s ahead of the count is a hole in it."""

_DRIFT_PARTS = 100
"""A mean difference of more than 1/100 s between stamps and count is drift, and is taken out."""

_DRIFT_FRAMES = 64
"""Frames over which that mean is taken: stamps are rounded to milliseconds and jitter."""

_STILL_S = 0.2
"""How long each picture of those that stand still lasts, unless the Pipeline says otherwise."""

_LAST_PICTURE = VIDEO_TIMESCALE // 30
"""How long the last picture is taken to last."""

_REST_FRAMES = 2
"""Frames of sound that may be missing at the end: players go on over as many."""

_WRAP = 1 << 32


@dataclass(slots=True)
class TimelineCounters:
    """What was repaired, put in or left out, in packets; a composition offset counts as
    `repaired_dts`."""

    repaired_dts: int = 0
    audio_reanchored: int = 0
    drift_corrected: int = 0
    dropped_before_start: int = 0
    silence_frames: int = 0
    dropped_behind_silence: int = 0
    still_frames: int = 0
    dropped_behind_still: int = 0


class Fill(NamedTuple):
    """A sample that stands for one that has not come, and the dts behind it."""

    kind: MediaKind
    sample: Sample
    end: int


class AudioClock(NamedTuple):
    """Where the next audio frame belongs (None before the first), the mean difference between the
    stamps and the count of samples in ticks, and whether silence takes the place of the sound."""

    dts: int | None
    error: float = 0.0
    filling: bool = False


class Timeline:
    """The clock of one Period with fixed `tracks`; `counters` go on from the Period before.

    `accept` answers the Sample, or None for a packet that cannot be used (before the first
    keyframe, or of a track that is not there); `take_fill` what comes before it. `breaks` tells
    beforehand whether a packet belongs to a new Period: `hole_limit_ms` is the longest hole that
    does not make one. `still_s`: how long each of the pictures lasts that fill a pause.
    """

    def __init__(
        self,
        tracks: tuple[TrackFormat, ...],
        counters: TimelineCounters | None = None,
        *,
        hole_limit_ms: int = MAX_JUMP_MS,
        still_s: float = _STILL_S,
    ) -> None:
        self.counters = counters or TimelineCounters()
        self._video = next((t for t in tracks if isinstance(t, VideoFormat)), None)
        self._audio = next((t for t in tracks if isinstance(t, AudioFormat)), None)
        self._origin_ms: int | None = None
        self._last_ms: dict[MediaKind, int] = {}
        self._video_dts = -1
        self._video_end = 0  # when the last picture is shown
        self._audio_dts: int | None = None
        self._audio_error = 0.0  # mean of stamp - count, in ticks
        self._hole_limit_ms = hole_limit_ms
        self._near_ms = min(hole_limit_ms, MAX_JUMP_MS)
        self._silent = silent_frame(self._audio) if self._audio else None
        self._filling = False
        self._fills: list[Fill] = []
        self._patience = {kind: Patience(kind) for kind in MediaKind}
        self._still = StillPicture(int(still_s * VIDEO_TIMESCALE))
        self._replays = False  # what comes was taken once already

    @property
    def origin_ms(self) -> int | None:
        """The encoder's stamp of media time 0."""
        return self._origin_ms

    def last_ms(self, kind: MediaKind) -> int | None:
        """The unwrapped stamp of the track's last packet."""
        return self._last_ms.get(kind)

    @property
    def audio_error(self) -> float:
        """Mean difference between the audio stamps and the count of samples, in ticks."""
        return self._audio_error

    @property
    def audio_clock(self) -> AudioClock:
        """Where the sound stands."""
        return AudioClock(self._audio_dts, self._audio_error, self._filling)

    def state(
        self, *, video_dts: int | None, audio_ms: int | None, audio: AudioClock, standing: bool
    ) -> TimelineState:
        """What is needed to accept again the video packet at `video_dts`, where there is a video
        track, and the audio packets from `audio` on, the last of which was stamped `audio_ms`;
        `standing`: there is none at `video_dts`, its picture stands still."""
        return TimelineState(
            origin_ms=self._origin_ms or 0,
            video_ms=None if video_dts is None else self._last_ms.get(MediaKind.VIDEO),
            video_dts=video_dts or 0,
            audio_ms=audio_ms,
            audio_dts=audio.dts,
            audio_error=audio.error,
            filling=audio.filling,
            still=self._still.state(stands=standing),
            video_lag_ms=self._patience[MediaKind.VIDEO].lag_ms,
            video_interval_ms=self._patience[MediaKind.VIDEO].interval_ms,
            audio_lag_ms=self._patience[MediaKind.AUDIO].lag_ms,
        )

    @property
    def has_fill(self) -> bool:
        """Whether `take_fill` has something to answer."""
        return bool(self._fills)

    def take_fill(self) -> list[Fill]:
        """Samples that belong before the last accepted packet's, in the order of their times; each
        is answered once."""
        fills, self._fills = self._fills, []
        if len({fill.kind for fill in fills}) > 1:
            fills.sort(key=self._time_s)
        return fills

    def _time_s(self, fill: Fill) -> float:
        if fill.kind is MediaKind.AUDIO and self._audio is not None:
            return fill.sample.dts / self._audio.sample_rate
        return fill.sample.dts / VIDEO_TIMESCALE

    def restore(self, state: TimelineState, still: Sample | None = None) -> None:
        """Go on with the packets that `state` names; `still` is the picture that stands still."""
        self._origin_ms = state.origin_ms
        if state.video_ms is not None:
            self._last_ms[MediaKind.VIDEO] = state.video_ms
            self._video_dts = state.video_dts - 1
        if state.audio_ms is not None:
            self._last_ms[MediaKind.AUDIO] = state.audio_ms
        self._audio_dts = state.audio_dts
        self._audio_error = state.audio_error
        self._filling = state.filling
        video, audio = MediaKind.VIDEO, MediaKind.AUDIO
        self._patience[video] = Patience(video, state.video_lag_ms, state.video_interval_ms)
        self._patience[audio] = Patience(audio, state.audio_lag_ms)
        if state.still is not None:
            self._still.restore(state.still, still)
        if self._still.stands:
            self._video_dts = state.video_dts - self._still.ticks
        self._replays = self._video is not None

    @property
    def started(self) -> bool:
        """Whether media time 0 is set."""
        return self._origin_ms is not None

    def breaks(self, packet: Packet) -> bool:
        """Whether `packet` is so far from all that came before that a new Period must start."""
        last = self._last_ms.get(packet.kind)
        if last is None or 0 <= packet.dts_ms - last <= self._near_ms:
            return False
        return self._is_far(packet) or self._ends_hole(packet)

    def _ends_hole(self, packet: Packet) -> bool:
        """Whether nothing came for longer than a segment may last, and `packet` can start anew.

        Pictures alone may be as slow as they like.
        """
        if self._audio is None or not packet.is_key:
            return False
        return all(
            unwrap(packet.dts_ms, last) - last > self._hole_limit_ms
            for last in self._last_ms.values()
        )

    def accept(self, packet: Packet) -> Sample | None:
        """The packet on its track's clock."""
        kind = packet.kind
        is_video = kind is MediaKind.VIDEO
        missing = (self._video if is_video else self._audio) is None
        last = self._last_ms.get(kind)
        if missing or (last is None and self._is_far(packet)):
            self.counters.dropped_before_start += 1  # no format, or of the timeline before
            return None
        if last is None:  # on the same turn of the 32 bits as the other track
            known = next(iter(self._last_ms.values()), self._origin_ms)
            last = packet.dts_ms if known is None else known
        dts_ms = unwrap(packet.dts_ms, last)
        self._last_ms[kind] = dts_ms
        if self._origin_ms is None and not self._starts(packet, dts_ms):
            self.counters.dropped_before_start += 1
            return None
        self._learn(packet, dts_ms, last)
        return (self._video_sample if is_video else self._audio_sample)(packet, dts_ms)

    def _learn(self, packet: Packet, dts_ms: int, last_ms: int) -> None:
        """How far behind the other track this one comes, and pictures behind each other."""
        is_video = packet.kind is MediaKind.VIDEO
        if is_video:
            self._replays = False
        patience = self._patience[packet.kind]
        other = self._last_ms.get(MediaKind.AUDIO if is_video else MediaKind.VIDEO)
        if other is not None and other - dts_ms > patience.lag_ms and not self._replays:
            patience.learn_lag(other - dts_ms)
        if not is_video or packet.is_key:  # a camera that paused begins with one
            return
        if patience.interval_ms < dts_ms - last_ms <= self._hole_limit_ms:
            patience.learn_interval(dts_ms - last_ms)

    def _is_far(self, packet: Packet) -> bool:
        """Whether `packet` is more than a jump away from the last one of each track."""
        return bool(self._last_ms) and all(
            abs(unwrap(packet.dts_ms, last) - last) > MAX_JUMP_MS for last in self._last_ms.values()
        )

    def _starts(self, packet: Packet, dts_ms: int) -> bool:
        leads = packet.kind is MediaKind.VIDEO or self._video is None
        if leads and packet.is_key:
            self._origin_ms = dts_ms
            return True
        return False

    def _video_sample(self, packet: Packet, dts_ms: int) -> Sample | None:
        dts = (dts_ms - self._origin()) * 90
        if self._leaves_out(packet, dts, dts_ms):
            self.counters.dropped_behind_still += 1
            self._fill_sound(dts)
            return None
        if dts <= self._video_dts:
            self.counters.repaired_dts += 1
            dts = self._video_dts + 1
        self._video_dts = dts
        self._fill_sound(dts)
        cts_ms = packet.pts_ms - packet.dts_ms
        if abs(cts_ms) > MAX_JUMP_MS:  # no picture waits for others as long
            self.counters.repaired_dts += 1
            cts_ms = 0
        self._video_end = max(self._video_end, dts + cts_ms * 90)
        sample = Sample(dts, cts_ms * 90, packet.is_key, packet.data)
        if packet.is_key:
            self._still.take(sample, dts_ms)
        return sample

    def _leaves_out(self, packet: Packet, dts: int, dts_ms: int) -> bool:
        """Whether a picture cannot go behind the one that stands still: it refers to others, or
        its time has passed."""
        still = self._still
        if not still.stands:
            hole_ms = (dts - self._video_dts) // 90
            paused = hole_ms > self._hole_limit_ms and not packet.is_key and not self._filling
            still.stands = paused and self._audio is not None and still.may_stand
            return still.stands
        if not packet.is_key:
            return still.leaves_out(dts_ms)
        if dts <= self._video_dts:
            return True
        self._stand_still_until(dts - 1)
        still.goes_on()
        return False

    def _audio_sample(self, packet: Packet, dts_ms: int) -> Sample | None:
        track = self._audio
        if track is None or dts_ms < self._origin():
            self.counters.dropped_before_start += 1
            return None
        stamped = (dts_ms - self._origin()) * track.sample_rate // 1000
        dts = self._audio_dts
        if self._filling and dts is not None and stamped < dts - track.frame_samples // 2:
            self.counters.dropped_behind_silence += 1
            return None
        hole = track.sample_rate // _HOLE_PARTS
        if self._silent is not None and dts is not None and (self._filling or stamped - dts > hole):
            rest = max(0, stamped - dts) % track.frame_samples
            self._fill(dts + rest, stamped, track)
            dts, self._audio_error, self._filling = max(stamped, self._audio_dts or 0), 0.0, False
        elif dts is None:
            dts = stamped
        elif stamped - dts > hole:
            self.counters.audio_reanchored += 1
            dts, self._audio_error = stamped, 0.0
        else:
            dts += self._drift(stamped - dts, track)
        self._audio_dts = dts + track.frame_samples
        if self._video is not None:
            self._still.hear(track.frame_samples * VIDEO_TIMESCALE // track.sample_rate)
            self._fill_picture(dts * VIDEO_TIMESCALE // track.sample_rate)
        return Sample(dts, 0, True, packet.data)

    def _fill_sound(self, video_dts: int) -> None:
        """Silence up to shortly behind the picture, once the sound has paused."""
        track = self._audio
        if track is None or self._silent is None:
            return
        now = video_dts * track.sample_rate // VIDEO_TIMESCALE
        start = self._audio_dts or 0
        if (now - start) * 1000 <= LEAST_MARGIN_MS * track.sample_rate:
            return
        patience = self._patience[MediaKind.AUDIO]
        limit_ms = patience.margin_ms if self._filling else patience.limit_ms(video_dts // 90)
        if (now - start) * 1000 > limit_ms * track.sample_rate:
            self._filling, self._audio_error = True, 0.0
            self._fill(start, now - patience.margin_ms * track.sample_rate // 1000, track)

    def _fill_picture(self, now: int) -> None:
        """The last keyframe up to shortly behind the sound, which is at `now` on the video's clock,
        once the picture has paused."""
        if now - self._video_dts <= LEAST_MARGIN_MS * 90:
            return
        patience = self._patience[MediaKind.VIDEO]
        limit_ms = patience.margin_ms if self._still.stands else patience.limit_ms(now // 90)
        if now - self._video_dts > limit_ms * 90 and self._still.may_stand:
            self._still.stands = True
            self._stand_still_until(now - patience.margin_ms * 90)

    def _stand_still_until(self, end: int) -> None:
        for sample in self._still.fill(self._video_dts, end):
            self._video_dts = sample.dts
            self._video_end = sample.dts + sample.cts_offset
            self._fills.append(Fill(MediaKind.VIDEO, sample, sample.dts + self._still.ticks))
            self.counters.still_frames += 1

    def fill_to_end(self) -> None:
        """Silence up to the end of the last picture: no more will come, and players stop where
        one of the tracks does, even if another Period follows."""
        track = self._audio
        if track is not None and self._silent is not None and self._audio_dts is not None:
            end = (self._video_end + _LAST_PICTURE) * track.sample_rate // VIDEO_TIMESCALE
            if self._filling or end - self._audio_dts > _REST_FRAMES * track.frame_samples:
                self._fill(self._audio_dts, end, track)

    def _fill(self, start: int, end: int, track: AudioFormat) -> None:
        """As many whole frames of silence as there is room for."""
        step = track.frame_samples
        for dts in range(start, end - step + 1, step):
            silence = Sample(dts, 0, True, self._silent or b"")
            self._fills.append(Fill(MediaKind.AUDIO, silence, dts + step))
            self._audio_dts = dts + step
            self.counters.silence_frames += 1

    def _drift(self, error: int, track: AudioFormat) -> int:
        """Ticks to move the count by, now; less than a frame, so that dts keeps increasing."""
        self._audio_error += (error - self._audio_error) / _DRIFT_FRAMES
        if abs(self._audio_error) <= track.sample_rate / _DRIFT_PARTS:
            return 0
        most = track.frame_samples - 1
        shift = max(-most, min(most, round(self._audio_error)))
        self._audio_error -= shift
        self.counters.drift_corrected += 1
        return shift

    def _origin(self) -> int:
        if self._origin_ms is None:
            raise ValueError("the timeline has not started")
        return self._origin_ms


def unwrap(stamp_ms: int, last_ms: int) -> int:
    """`stamp_ms` (modulo 2^32, as RTMP sends it) moved next to `last_ms`."""
    return last_ms + (stamp_ms - last_ms + _WRAP // 2) % _WRAP - _WRAP // 2
