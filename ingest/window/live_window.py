"""The live window of one stream: journal entries in, snapshots and wake-ups out.

Kept by the process that answers players. It holds names, numbers and durations, no media bytes.
Everybody who waits for a rendition is woken by the same event, once per change.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from ingest.cues import Cue
from ingest.journal_entries import (
    Checkpoint,
    InitWritten,
    JournalEntry,
    PartWritten,
    PeriodStarted,
    SegmentWritten,
    StreamFinished,
)
from ingest.media import MediaKind
from ingest.presentation import (
    InitSection,
    NumberedRun,
    Part,
    Presentation,
    Rendition,
    Segment,
)
from ingest.window.leaving import Leaving, parts_listed_from
from ingest.window.rendition_state import RenditionState
from ingest.window.segment_numbering import SegmentNumbering
from ingest.window.spans import MediaSpans
from ingest.window.stream_start import StreamStart

_ROUNDING_S = 0.001
"""PART-TARGET is said in milliseconds."""

_MOST_BEHIND_S = 1.0
"""A moment that is farther from the newest frame is one for which there are no media."""

_MOST_AHEAD_S = 5.0
"""While an encoder is away the recording stands still; this much is still on its way."""


class LiveWindow:
    """The last `dvr_window_s` seconds of a stream, as its journal tells them; infinity: all."""

    def __init__(self, dvr_window_s: float) -> None:
        self._leaving = Leaving(dvr_window_s)
        self._period = PeriodStarted(period=-1, wall_s=0.0, reason="")
        self._first_period: PeriodStarted | None = None
        self._renditions: dict[str, RenditionState] = {}
        self._ended = False
        self._version = 0
        self._started = asyncio.Event()
        self._segmented = asyncio.Event()
        self._watchers: list[Watcher] = []
        self._spans = MediaSpans()
        self._start = StreamStart()
        self._numbering = SegmentNumbering()
        self._cues: Sequence[Cue] = ()

    @property
    def spans(self) -> MediaSpans:
        """Where there ever were media."""
        return self._spans

    @property
    def numbered_runs(self) -> tuple[NumberedRun, ...]:
        """Where the numbers of segments tell when they start, oldest first."""
        return self._numbering.runs

    @property
    def cues(self) -> Sequence[Cue]:
        """What the playlists tell beside the media; the same object until `show` is called."""
        return self._cues

    def show(self, cues: Sequence[Cue]) -> None:
        """Tell these cues from now on. Nobody is woken: the next part brings them along."""
        self._cues = cues
        self._version += 1

    @property
    def version(self) -> int:
        """Counts the changes."""
        return self._version

    @property
    def ended(self) -> bool:
        """Whether the stream is over: its playlists carry ENDLIST."""
        return self._ended

    def shorten(self, *, short: bool) -> None:
        """Keep only what players at the live edge need, for want of space; or as much as before.

        What leaves does not stay for the time that RFC 8216 §6.2.2 demands: a player that has
        gone back loses its place. Takes effect with the next segment.
        """
        self._leaving.shorten(self._renditions.values(), short=short)

    @property
    def forgotten_s(self) -> float:
        """Seconds of media that have left the window, by the first rendition."""
        for state in self._renditions.values():
            return state.media_s - state.finished_s
        return 0.0

    def watch(self, watcher: "Watcher") -> None:
        """Call `watcher` after each change."""
        self._watchers.append(watcher)

    def apply(self, entries: list[JournalEntry]) -> None:
        """Take journal entries in order, then wake those who wait."""
        touched: set[str] = set()
        for entry in entries:
            touched |= self._apply(entry)
            self._spans.take(entry)
            self._start.take(entry)
        self._version += len(entries)
        for name in touched:
            state = self._renditions[name]
            state.snapshot = None
            changed, state.changed = state.changed, asyncio.Event()
            changed.set()
        if self._playable() or self._ended:
            self._started.set()
        if self._ended or (self._started.is_set() and self._has_segments()):
            self._segmented.set()
        else:
            self._segmented.clear()
        for watcher in self._watchers:
            watcher(self, touched)

    def presentation(self) -> Presentation:
        """The renditions that have media, as they are now."""
        renditions = (self.rendition(name) for name in self._renditions)
        listed = tuple(
            r for r in renditions if r is not None and any(not s.gap for s in r.segments)
        )
        started_s = self._first_period.wall_s if self._first_period else 0.0
        return Presentation(self._version, started_s, self._start.first_s, listed, self._ended)

    def rendition(self, name: str) -> Rendition | None:
        """Snapshot of one rendition; None when the stream has none of that name."""
        state = self._renditions.get(name)
        if state is None:
            return None
        if state.snapshot is None:
            state.snapshot = self._snapshot(name, state)
        return state.snapshot

    def latency_s(self, now_wall_s: float) -> float | None:
        """How far behind its own wall clock a player plays that keeps to PART-HOLD-BACK, in
        seconds, measured at the newest part; None without one."""
        for name in self._renditions:
            rendition = self.rendition(name)
            if rendition is not None and rendition.segments:
                newest = rendition.segments[-1]
                behind_s = max(0.0, now_wall_s - newest.wall_s - newest.duration_s)
                return behind_s + rendition.part_hold_back_s
        return None

    def media_time_s(self, wall_s: float) -> float | None:
        """Where on the recording's timeline the moment `wall_s` (Unix seconds, about now) lies:
        what was packaged so far, and at most `_MOST_AHEAD_S` more; None before the first part."""
        for name, state in self._renditions.items():
            rendition = self.rendition(name)
            if rendition is not None and rendition.segments:
                newest = rendition.segments[-1]
                growing_s = 0.0 if newest.finished else newest.duration_s
                behind_s = wall_s - newest.wall_s - newest.duration_s
                edge_s = state.media_s + growing_s
                return max(0.0, edge_s + min(behind_s, _MOST_AHEAD_S))
        return None

    def moment_s(self, wall_s: float) -> float:
        """The moment of the media (Unix seconds, as in PROGRAM-DATE-TIME) that stands for now,
        `wall_s`: near the newest frame even where the encoder's clock has left ours."""
        newest = self._spans.newest
        if newest is None:
            return wall_s
        return min(max(wall_s, newest.end_wall_s), newest.end_wall_s + _MOST_BEHIND_S)

    async def wait_started(self, timeout_s: float) -> bool:
        """Wait until every rendition has a part; False when `timeout_s` ran out before."""
        return await _set_within(self._started, timeout_s)

    async def wait_segments(self, timeout_s: float) -> bool:
        """Wait until every rendition has a finished Media Segment, or the stream has ended; False
        when `timeout_s` ran out before."""
        return await _set_within(self._segmented, timeout_s)

    async def wait_change(self, name: str, timeout_s: float) -> bool:
        """Wait for the rendition's next change; False when there was none for `timeout_s`."""
        state = self._renditions.get(name)
        if state is None or self._ended:
            return False
        return await _set_within(state.changed, timeout_s)

    def take_expired(self) -> list[str]:
        """Files, relative to the stream's folder, that no playlist names any more, nor named for
        the time that RFC 8216 §6.2.2 demands; each is answered once."""
        return self._leaving.take_expired()

    def _playable(self) -> bool:
        return bool(self._renditions) and all(
            state.finished or state.open_parts for state in self._renditions.values()
        )

    def _has_segments(self) -> bool:
        return all(state.listed for state in self._renditions.values())

    def _apply(self, entry: JournalEntry) -> set[str]:
        match entry:
            case PeriodStarted():
                self._period = entry
                self._first_period = self._first_period or entry
                self._numbering.start(entry)
                for state in self._renditions.values():
                    state.since_msn, state.since_s, state.in_gap = 0, 0.0, None
                return set()
            case InitWritten():
                self._take_init(entry)
            case PartWritten():
                self._take_part(self._renditions[entry.rendition], entry)
            case SegmentWritten():
                self._take_segment(self._renditions[entry.rendition], entry)
            case Checkpoint():
                return set()
            case StreamFinished():
                self._ended = True
                return set(self._renditions)
        return {entry.rendition}

    def _take_init(self, entry: InitWritten) -> None:
        self._numbering.add_track(entry)
        state = self._renditions.setdefault(entry.rendition, RenditionState(first=entry))
        state.init = entry.init
        state.inits[entry.init] = InitSection(
            init=entry.init,
            codecs=entry.codecs,
            timescale=entry.timescale,
            width=entry.width,
            height=entry.height,
            channels=entry.channels,
            sample_rate=entry.sample_rate,
        )

    def _take_part(self, state: RenditionState, entry: PartWritten) -> None:
        if not state.open_parts:
            state.open_msn, state.open_start = entry.msn, entry.start
            self._numbering.open_segment(entry)
        scale = state.inits[state.init].timescale
        part = Part(
            entry.number,
            entry.index,
            entry.duration / scale,
            entry.size,
            entry.independent,
            entry.sync_start,
        )
        state.open_parts.append(part)
        state.too_long = state.too_long or part.duration_s > state.first.part_target_s + _ROUNDING_S
        if not state.too_long:
            state.listed_parts = len(state.open_parts)
        state.next_part = entry.number + 1

    def _take_segment(self, state: RenditionState, entry: SegmentWritten) -> None:
        self._numbering.close_segment(entry)
        gap = entry.parts == 0
        if state.in_gap is not None and state.in_gap is not gap:
            scale = state.inits[state.init].timescale
            state.since_msn, state.since_s = entry.msn, entry.start / scale
        state.in_gap = gap
        segment = self._segment(
            state,
            msn=entry.msn,
            start=entry.start,
            duration=entry.duration,
            size=entry.size,
            finished=True,
            gap=gap,
        )
        if state.too_long:
            segment = self._leaving.unlist_parts(entry.rendition, state, segment)
        state.open_parts, state.listed_parts, state.too_long = [], 0, False
        state.finished.append(segment)
        state.finished_s += segment.duration_s
        state.finished_size += segment.size
        state.dependent += not segment.independent
        if segment.duration_s > 0:
            rate = int(segment.size * 8 / segment.duration_s)
            state.peak_bandwidth = max(state.peak_bandwidth, rate)
        state.media_s += segment.duration_s
        self._leaving.trim(entry.rendition, self._renditions)
        state.put_away()

    def _segment(
        self,
        state: RenditionState,
        *,
        msn: int,
        start: int,
        duration: int,
        size: int,
        finished: bool,
        gap: bool = False,
    ) -> Segment:
        scale = state.inits[state.init].timescale
        return Segment(
            msn=msn,
            period=self._period.period,
            init=state.init,
            start_ticks=start,
            duration_ticks=duration,
            start_s=start / scale,
            duration_s=duration / scale,
            wall_s=self._period.wall_s + start / scale,
            size=size,
            independent=gap or (bool(state.open_parts) and state.open_parts[0].sync_start),
            parts=tuple(state.open_parts),
            finished=finished,
            gap=gap,
            since_msn=state.since_msn,
            since_s=state.since_s,
        )

    def _growing(self, state: RenditionState) -> tuple[Segment, ...]:
        """The segment whose parts are coming, if any has come; up to one that is too long."""
        if not state.listed_parts:
            return ()
        listed = state.open_parts[: state.listed_parts]
        duration_s = sum(part.duration_s for part in listed)
        growing = self._segment(
            state,
            msn=state.open_msn,
            start=state.open_start,
            duration=round(duration_s * state.inits[state.init].timescale),
            size=sum(part.size for part in listed),
            finished=False,
        )
        return (growing._replace(parts=tuple(listed)),)

    def _snapshot(self, name: str, state: RenditionState) -> Rendition:
        growing = self._growing(state)
        return Rendition(
            name=name,
            kind=MediaKind(state.first.kind),
            target_duration_s=state.first.target_duration_s,
            part_target_s=state.first.part_target_s,
            inits=tuple(state.inits.values()),
            segments=state.segments(growing),
            next_part=state.next_part,
            parts_from_msn=parts_listed_from(state),
            ended=self._ended,
            totals=state.totals(growing),
        )


Watcher = Callable[[LiveWindow, Iterable[str]], None]
"""Gets the window, and the names of the renditions that have changed."""


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
