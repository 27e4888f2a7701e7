"""How a session fares: what comes in, and how late it goes out. Pure: times are arguments."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from ingest.journal_entries import InitWritten, JournalEntry, PartWritten, PeriodStarted
from ingest.media import MediaKind, Packet

_LONGEST_STEP_MS = 1_000
"""A track that is silent for longer has a hole, which is no time of media."""

_ROUNDING_MS = 5
"""Delays from decoding to presentation that differ by less are the same."""

_BASE_S = 30.0
"""The best recent part is looked for in the last one to two of these."""

LATENESS_BOUNDS_S = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Upper bounds of the buckets in which lateness is counted."""


@dataclass(frozen=True, slots=True)
class TrackRates:
    """What a track brought over the last while, in its own media time."""

    bits_per_s: float
    units_per_s: float
    span_s: float = 0.0
    is_reordered: bool = False


class TrackMeter:
    """Counts the access units of one track between two readings."""

    def __init__(self) -> None:
        self.gop_s = 0.0
        self.last_ms: int | None = None
        self._size = 0
        self._units = 0
        self._span_ms = 0
        self._key_span_ms = 0
        self._least_delay_ms: int | None = None
        self._most_delay_ms = 0

    def take(self, packet: Packet) -> None:
        """Count a packet."""
        last_ms, stamp_ms = self.last_ms, packet.dts_ms
        self.last_ms = stamp_ms
        self._size += len(packet.data)
        self._units += 1
        delay_ms = packet.pts_ms - stamp_ms
        if self._least_delay_ms is None:
            self._least_delay_ms = self._most_delay_ms = delay_ms
        elif delay_ms < self._least_delay_ms:
            self._least_delay_ms = delay_ms
        elif delay_ms > self._most_delay_ms:
            self._most_delay_ms = delay_ms
        if last_ms is not None and 0 < stamp_ms - last_ms < _LONGEST_STEP_MS:
            self._span_ms += stamp_ms - last_ms
            self._key_span_ms += stamp_ms - last_ms
        if packet.is_key:
            self.gop_s = self._key_span_ms / 1000
            self._key_span_ms = 0

    def read(self) -> TrackRates:
        """The rates since the last reading; zero when nothing came."""
        span_s = self._span_ms / 1000
        rates = _SILENT
        if span_s:
            # Without reordering all frames wait equally long from decoding to presentation.
            reordered = self._most_delay_ms - (self._least_delay_ms or 0) > _ROUNDING_MS
            rates = TrackRates(self._size * 8 / span_s, self._units / span_s, span_s, reordered)
        self._least_delay_ms = None
        self._size = self._units = self._span_ms = 0
        return rates


_SILENT = TrackRates(0.0, 0.0)


class IntakeMeter:
    """Both tracks of a session."""

    def __init__(self) -> None:
        self.video = TrackMeter()
        self.audio = TrackMeter()

    def take(self, packet: Packet) -> None:
        """Count a packet."""
        (self.video if packet.kind is MediaKind.VIDEO else self.audio).take(packet)

    @property
    def av_offset_s(self) -> float:
        """How far the audio's stamps are ahead of the video's where the two stand side by side in
        what the encoder sends; 0 without one of them."""
        video_ms, audio_ms = self.video.last_ms, self.audio.last_ms
        if video_ms is None or audio_ms is None:
            return 0.0
        return (audio_ms - video_ms) / 1000


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late parts were listed. A part is late against the best one of the last half minute or
    so: that much more time went by between its last frame's stamp and its listing.

    `late`: parts that were late by more than half of PART-TARGET. `buckets` counts the parts up
    to each of LATENESS_BOUNDS_S, and all others last.
    """

    parts: int = 0
    late: int = 0
    total_s: float = 0.0
    recent_max_s: float = 0.0
    buckets: tuple[int, ...] = (0,) * (len(LATENESS_BOUNDS_S) + 1)


@dataclass(slots=True)
class _Base:
    """The least delay of a rendition, and the greatest lateness, over this while and the last."""

    since_s: float
    least_s: float
    before_s: float
    worst_s: float = 0.0
    worst_before_s: float = 0.0

    def lateness_s(self, delay_s: float, now_s: float) -> float:
        if now_s - self.since_s > _BASE_S:
            self.since_s = now_s
            self.before_s, self.least_s = self.least_s, delay_s
            self.worst_before_s, self.worst_s = self.worst_s, 0.0
        self.least_s = min(self.least_s, delay_s)
        late_s = delay_s - min(self.least_s, self.before_s)
        self.worst_s = max(self.worst_s, late_s)
        return late_s

    @property
    def recent_max_s(self) -> float:
        return max(self.worst_s, self.worst_before_s)


class LatenessMeter:
    """Reads the journal's entries as they are listed."""

    def __init__(self) -> None:
        self._parts = self._late = 0
        self._total_s = 0.0
        self._buckets = [0] * (len(LATENESS_BOUNDS_S) + 1)
        self._scales: dict[str, tuple[int, float]] = {}  # and PART-TARGET
        self._bases: dict[str, _Base] = {}

    @property
    def counted(self) -> Lateness:
        """All parts so far."""
        return Lateness(
            parts=self._parts,
            late=self._late,
            total_s=self._total_s,
            recent_max_s=max((base.recent_max_s for base in self._bases.values()), default=0.0),
            buckets=tuple(self._buckets),
        )

    def take(self, entries: Sequence[JournalEntry], now_s: float, *, listed: bool) -> None:
        """Take entries that were applied at `now_s`, on a clock that never goes back.

        `listed`: they were, for the first time; else they are only read to go on behind them.
        """
        for entry in entries:
            match entry:
                case PartWritten():
                    if listed:
                        self._part(entry, now_s)
                case InitWritten():
                    self._scales[entry.rendition] = (entry.timescale, entry.part_target_s)
                case PeriodStarted():
                    self._bases.clear()

    def _part(self, part: PartWritten, now_s: float) -> None:
        scale, target_s = self._scales[part.rendition]
        delay_s = now_s - (part.start + part.duration) / scale
        base = self._bases.get(part.rendition)
        if base is None:
            base = self._bases[part.rendition] = _Base(now_s, delay_s, delay_s)
        late_s = base.lateness_s(delay_s, now_s)
        self._parts += 1
        self._late += late_s > target_s / 2
        self._total_s += late_s
        self._buckets[bisect_left(LATENESS_BOUNDS_S, late_s)] += 1
