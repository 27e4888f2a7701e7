"""A stream's spool as RTP payloads for all its viewers: `python` over byte strings, and Opus.

The picture is passed on as it is. That works for H.264 whose pictures are sent in the order in
which they are shown: browsers do not reorder what comes over WebRTC.
"""

import time
from collections.abc import Callable
from pathlib import Path

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec, MediaKind, Packet, VideoFormat
from ingest.source.flv import FlvItem, FlvReader
from ingest.source.spool import SpoolTail
from ingest.webrtc.feed_clock import FeedClock
from ingest.webrtc.h264_rtp import nal_units, parameter_sets, payloads
from ingest.webrtc.opus import OPUS_RATE, OpusTranscoder
from ingest.webrtc.viewer_queue import Unit, ViewerQueue

_TAGS = frozenset({b"\x08", b"\x09", b"\x12"})
_VIDEO_RATE = 90_000
_MOST_GROUP_BYTES = 24 << 20
_MOST_GROUP_UNITS = 1_200
"""An encoder that sends keyframes so seldom gives joining viewers none until the next."""

_USUAL_TICKS = 3_000
_MOST_TICKS = 18_000


class SpoolMoved(Exception):
    """There is no FLV tag where the spool was to be read from: it was given back meanwhile."""


class Feed:
    """Follows one spool after the other; viewers join and leave.

    `poll` does a bounded piece of work and never waits. `reordered` tells that the encoder sends
    B-frames; `on_reordered` is called when that is found out.
    """

    def __init__(self, on_reordered: Callable[[], None]) -> None:
        self._on_reordered = on_reordered
        self._tail: SpoolTail | None = None
        self._reader = FlvReader()
        self._is_checked = False
        self._clock = FeedClock()
        self._sets: list[bytes] = []
        self._length_bytes = 4
        self._audio: AudioFormat | None = None
        self._opus: OpusTranscoder | None = None
        self._group: list[Unit] = []
        self._group_bytes = 0
        self._spacing = _USUAL_TICKS
        self._video: dict[str, ViewerQueue] = {}
        self._sound: dict[str, ViewerQueue] = {}
        self.reordered = False
        self.read_once = False

    @property
    def is_ready(self) -> bool:
        """Whether a viewer who joins has a picture to begin with."""
        return self.read_once and bool(self._group)

    def follow(
        self, spool: Path, offset: int, video: VideoFormat | None, audio: AudioFormat | None
    ) -> None:
        """Read `spool` from `offset` on; viewers stay. Raises OSError."""
        tail = SpoolTail(spool, offset)
        self.close()
        self._tail = tail
        self._reader = FlvReader(offset)
        self._is_checked = offset == 0
        self._clock.restart()
        self._group, self._group_bytes = [], 0
        self._audio, self._opus = None, None
        self.reordered = self.read_once = False
        for item in (video, audio):
            if item is not None:
                self._take_format(item)

    def close(self) -> None:
        """Close the spool; viewers wait for the next one."""
        if self._tail is not None:
            self._tail.close()
            self._tail = None

    def join(self, viewer: str, video: ViewerQueue, audio: ViewerQueue) -> None:
        """Send to a viewer from now on, from the last keyframe on."""
        self._video[viewer], self._sound[viewer] = video, audio
        video.catch_up(self._group, self._spacing)

    def leave(self, viewer: str) -> None:
        """Send no more to a viewer."""
        for queues in (self._video, self._sound):
            queue = queues.pop(viewer, None)
            if queue is not None:
                queue.close()
        if not self._sound:
            self._opus = None

    def replay(self, viewer: str, now_s: float) -> bool:
        """Send the picture anew from the last keyframe on (RFC 4585 §6.3.1: a picture was lost);
        False when that was done a moment ago."""
        queue = self._video.get(viewer)
        if queue is None or not queue.may_replay(now_s):
            return False
        queue.catch_up(self._group, self._spacing)
        return True

    @property
    def dropped(self) -> int:
        """Units that viewers who are there did not get."""
        queues = [*self._video.values(), *self._sound.values()]
        return sum(queue.dropped for queue in queues)

    def poll(self) -> bool:
        """Send what has come; True when there may be more at once. Raises SpoolMoved."""
        if self._tail is None:
            return False
        data = self._tail.read()
        if not data:
            self.read_once = True
            return False
        if not self._is_checked:
            self._is_checked = True
            if data[:1] not in _TAGS:
                raise SpoolMoved
        now_s = time.monotonic()
        for _, item in self._reader.feed(data):
            self._take(item, now_s)
        return True

    def _take(self, item: FlvItem, now_s: float) -> None:
        if not isinstance(item, Packet):
            self._take_format(item)
        elif item.kind is MediaKind.AUDIO:
            self._take_sound(item, now_s)
        else:
            self._take_picture(item, now_s)

    def _take_format(self, item: VideoFormat | AudioFormat) -> None:
        if isinstance(item, AudioFormat):
            self._audio, self._opus = item, None
        elif item.codec is Codec.H264:
            try:
                self._sets, self._length_bytes = parameter_sets(item.config)
            except MalformedMedia:
                self._sets = []

    def _take_picture(self, packet: Packet, now_s: float) -> None:
        if packet.pts_ms != packet.dts_ms:
            if not self.reordered:
                self.reordered = True
                self._on_reordered()
            return
        try:
            units = nal_units(packet.data, self._length_bytes)
            made = payloads(units, self._sets, is_key=packet.is_key)
        except MalformedMedia:
            return
        if not made:
            return
        stamp = self._clock.map(packet.dts_ms, now_s) * _VIDEO_RATE // 1000
        unit = Unit(stamp, tuple(made), packet.is_key)
        self._remember(unit)
        if self.read_once:
            for queue in self._video.values():
                queue.put(unit)

    def _remember(self, unit: Unit) -> None:
        """Keep the group of pictures that a joining viewer begins with."""
        if unit.is_key:
            self._group, self._group_bytes = [], 0
        elif not self._group:
            return
        else:
            between = unit.timestamp - self._group[-1].timestamp
            self._spacing = min(max(between, 1), _MOST_TICKS)
        self._group.append(unit)
        self._group_bytes += sum(map(len, unit.payloads))
        if self._group_bytes > _MOST_GROUP_BYTES or len(self._group) > _MOST_GROUP_UNITS:
            self._group, self._group_bytes = [], 0

    def _take_sound(self, packet: Packet, now_s: float) -> None:
        stamp_ms = self._clock.map(packet.dts_ms, now_s)
        if not self._sound or not self.read_once:
            return
        if self._opus is None:
            if self._audio is None or not OpusTranscoder.can_read(self._audio):
                return
            self._opus = OpusTranscoder(self._audio)
        for stamp, data in self._opus.feed(packet.data, stamp_ms):
            unit = Unit(stamp, (data,), is_key=True)
            for queue in self._sound.values():
                queue.put(unit)


__all__ = ["OPUS_RATE", "Feed", "SpoolMoved"]
