"""One publication read from its spool file and packaged, inside a shared packager process.

`poll` does a bounded piece of work; nothing here blocks, decodes or parses more than FLV tags.
"""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import msgspec

from ingest.clock import Clock
from ingest.journal_entries import Checkpoint
from ingest.media import MediaKind, Packet, TrackFormat
from ingest.session.messages import SessionHealth, SessionReport
from ingest.session.pipeline import Pipeline
from ingest.settings import PackagingSettings
from ingest.source.flv import FlvItem, FlvReader
from ingest.source.spool import SpoolTail
from ingest.vod.journal import JournalWriter
from ingest.vod.recovery import read_end, seal

_AUDIO_CONFIG_WAIT_MS = 500
"""Video that has waited this long for an audio track starts without it."""

_VIDEO_WAIT_MS = 5_000
"""Audio that has waited this long for a video track is a stream of its own."""

_FRAMES_MEASURED, _SLOW_FRAMES = 4, 2
_FRAMES_WAIT_MS, _SLOW_FRAMES_WAIT_MS = 400, 1_200
"""Pictures that are waited for to see how long one lasts: so many within so long, or fewer."""

_LOCK_WAIT_S = 2.0

_HELD_PACKETS = 2_000
"""Packets held until the tracks are known; the oldest leave beyond that."""


class SpoolSession:
    """Packages `spool` into `folder`; takes up its own checkpoint where the journal has one.

    `notify` is called after each journal entry that players wait for.
    """

    def __init__(
        self,
        spool: Path,
        folder: Path,
        settings: PackagingSettings,
        clock: Clock,
        notify: Callable[[], None],
        *,
        reason: str,
    ) -> None:
        self._journal = JournalWriter(folder)
        try:
            self._open(spool, folder, settings, clock, notify, reason=reason)
        except BaseException:
            self._journal.close()
            raise

    def _open(
        self,
        spool: Path,
        folder: Path,
        settings: PackagingSettings,
        clock: Clock,
        notify: Callable[[], None],
        *,
        reason: str,
    ) -> None:
        end = read_end(folder)
        checkpoint = end.checkpoint
        self._mine = checkpoint is not None and checkpoint.spool == spool.name
        if not self._mine:
            end = seal(folder, self._journal)
        self._pipeline = Pipeline(
            folder, self._journal, end, settings, clock, notify, reason=reason, spool=spool.name
        )
        self._clock = clock
        self._locked = False
        self._unlocked_since_s: float | None = None
        self._skip_before = {MediaKind.VIDEO: 0, MediaKind.AUDIO: 0}
        self._skip_until = 0  # nothing is done with from here on
        self._formats: dict[MediaKind, TrackFormat] = {}
        self._held: list[tuple[int, Packet]] = []
        self._held_dropped = 0
        start = self._take_up(checkpoint) if checkpoint is not None and self._mine else 0
        self._tail = SpoolTail(spool, start)
        self._reader = FlvReader(start)

    @property
    def started(self) -> bool:
        """Whether the tracks are known and media are being packaged."""
        return bool(self._pipeline.tracks)

    @property
    def journal_size(self) -> int:
        """Bytes in the journal."""
        return self._journal.size

    @property
    def video_seen(self) -> bool:
        """Whether the recorder has written a video track."""
        return MediaKind.VIDEO in self._formats

    @property
    def is_behind(self) -> bool:
        """Whether the last poll left something that had come already."""
        return self._tail.is_behind

    def poll(self) -> bool:
        """Package what has come; False when there was nothing, and `ended` may be asked."""
        data = self._tail.read()
        if not data:
            return False
        for offset, item in self._reader.feed(data):
            self._take(offset, item)
        self._tail.give_back(self._needed_from())
        return True

    def ended(self) -> bool:
        """Whether the encoder has gone and all that it sent is packaged.

        Asked when there is nothing new. The recorder locks the file a moment after it makes it,
        so a lock that was never seen is missed only after a while.
        """
        now_s = self._clock.monotonic_s()
        if not self._tail.writer_gone():
            self._locked, self._unlocked_since_s = True, None
            return False
        if self._unlocked_since_s is None:
            self._unlocked_since_s = now_s
        if not self._locked and now_s - self._unlocked_since_s < _LOCK_WAIT_S:
            return False
        return not self.poll()

    def finish(self) -> None:
        """Package what is held, close the last part and segment."""
        if not self.started and self._held:
            self._start()
        self._pipeline.finish()

    def report(self) -> SessionReport:
        """What was counted; a packager drops no notifications, it merges them."""
        report, tags = self._pipeline.report(notifications_dropped=0), self._reader.counters
        return msgspec.structs.replace(
            report,
            dropped_before_start=report.dropped_before_start + self._held_dropped,
            tags_unsupported=tags.unsupported,
            tags_malformed=tags.malformed,
            tags_empty=tags.empty,
        )

    def health(self) -> SessionHealth:
        """How it fares since this was last asked."""
        health, tags = self._pipeline.health(), self._reader.counters
        left_out = self._held_dropped + tags.unsupported + tags.malformed + tags.empty
        return msgspec.structs.replace(
            health, dropped=health.dropped + left_out, unread_bytes=self._tail.unread_bytes
        )

    def close(self) -> None:
        """Close the files."""
        self._tail.close()
        self._journal.close()

    def _take_up(self, checkpoint: Checkpoint) -> int:
        """Offset to read from."""
        self._pipeline.resume(checkpoint)
        for track in self._pipeline.tracks:
            self._formats[track.kind] = track
        self._skip_before[MediaKind.VIDEO] = checkpoint.video_offset
        self._skip_before[MediaKind.AUDIO] = checkpoint.audio_offset
        self._skip_until = max(checkpoint.video_offset, checkpoint.audio_offset)
        return min(checkpoint.video_offset, checkpoint.audio_offset)

    def _take(self, offset: int, item: FlvItem) -> None:
        if isinstance(item, Packet):
            if offset < self._skip_until and offset < self._skip_before[item.kind]:
                return
            if self._pipeline.tracks:
                self._pipeline.feed(item, offset)
            else:
                self._hold(offset, item)
            return
        known = self._formats.get(item.kind)
        if known == item:
            return  # the recorder repeats the headers
        self._formats[item.kind] = item
        if self.started:
            reason = "track added" if known is None else "format change"
            self._pipeline.start(self._all_formats(), reason)

    def _hold(self, offset: int, packet: Packet) -> None:
        """Keep packets until the tracks are known, then start with all of them."""
        self._held.append((offset, packet))
        if len(self._held) > _HELD_PACKETS:
            del self._held[0]
            self._held_dropped += 1
        both = len(self._formats) == len(MediaKind)
        waited_ms = packet.dts_ms - self._held[0][1].dts_ms
        limit_ms = _AUDIO_CONFIG_WAIT_MS if self.video_seen else _VIDEO_WAIT_MS
        if self._reader.counters.unsupported:
            limit_ms = _VIDEO_WAIT_MS  # a pull that can read it takes over, from the first packet
        if (both or (self._formats and waited_ms > limit_ms)) and self._measured(waited_ms):
            self._start()

    def _measured(self, waited_ms: int) -> bool:
        """Whether how long a picture lasts is known, or has been waited for long enough."""
        frames = len(self._picture_stamps())
        if not self.video_seen or frames >= _FRAMES_MEASURED:
            return True
        if frames >= _SLOW_FRAMES:
            return waited_ms >= _FRAMES_WAIT_MS
        return waited_ms >= _SLOW_FRAMES_WAIT_MS

    def _picture_stamps(self) -> list[int]:
        return [held.dts_ms for _, held in self._held if held.kind is MediaKind.VIDEO]

    def _start(self) -> None:
        stamps = self._picture_stamps()[:_FRAMES_MEASURED]
        lasts_ms = [b - a for a, b in pairwise(stamps) if b > a]
        # the shortest: a camera that starts slowly is no slow camera
        frame_s = min(lasts_ms) / 1000 if lasts_ms else None
        self._pipeline.start(self._all_formats(), frame_s=frame_s)
        held, self._held = self._held, []
        for offset, packet in held:
            self._pipeline.feed(packet, offset)

    def _all_formats(self) -> tuple[TrackFormat, ...]:
        order = (MediaKind.VIDEO, MediaKind.AUDIO)
        return tuple(self._formats[kind] for kind in order if kind in self._formats)

    def _needed_from(self) -> int:
        """First byte that a successor would read."""
        if not self.started:
            return 0
        return self._pipeline.checkpoint_offset
