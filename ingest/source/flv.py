"""Reads the FLV that nginx-rtmp's recorder writes (Adobe FLV 10.1 §E), in whatever pieces it comes.

Pure Python over byte strings: a stranger's bytes can make it raise MalformedMedia, nothing worse.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from ingest.errors import MalformedMedia
from ingest.media import AudioFormat, Codec, MediaKind, Packet, VideoFormat
from ingest.source.aac_config import aac_format
from ingest.source.h264_sps import picture_size
from ingest.source.mp3_header import mp3_format

_FILE_HEADER_BYTES = 13
_TAG_HEADER_BYTES = 11
_TRAILER_BYTES = 4
_TAG_HEADER = struct.Struct(">BBHHBB3x")  # kind, size (8 + 16 bits), time (16 + 8 bits), its top
_AUDIO, _VIDEO = 8, 9
_AVC, _ENHANCED = 7, 0x80
_AAC, _MP3, _MP3_8K = 10, 2, 14
_CONFIG, _MEDIA = 0, 1


@dataclass(slots=True)
class FlvCounters:
    """What was left out, in tags."""

    unsupported: int = 0
    malformed: int = 0
    empty: int = 0


FlvItem = Packet | VideoFormat | AudioFormat
"""What a tag carries."""


class FlvReader:
    """Bytes in, items out. `offset` is where in the file the first byte fed stands.

    A decoder configuration that repeats the last one is not announced again.
    """

    def __init__(self, offset: int = 0) -> None:
        self.counters = FlvCounters()
        self._offset = offset
        self._buffer = b""
        self._video_config = b""
        self._audio_config = b""
        self._behind: Packet | None = None  # the frame that told its own format

    @property
    def offset(self) -> int:
        """Where in the file the first unread tag starts."""
        return self._offset

    def feed(self, data: bytes) -> Iterator[tuple[int, FlvItem]]:
        """The items that `data` completes, each with the offset of its tag in the file.

        Take them all before feeding again.
        """
        buffer = self._buffer + data if self._buffer else data
        position = 0
        if self._offset < _FILE_HEADER_BYTES:
            if len(buffer) < _FILE_HEADER_BYTES:
                self._buffer = buffer
                return
            if buffer[:3] != b"FLV":
                raise MalformedMedia("the spool file is no FLV")
            position = _FILE_HEADER_BYTES
        start = self._offset
        size = len(buffer)
        while position + _TAG_HEADER_BYTES <= size:
            head = _TAG_HEADER.unpack_from(buffer, position)
            kind, length = head[0] & 0x1F, head[1] << 16 | head[2]
            end = position + _TAG_HEADER_BYTES + length + _TRAILER_BYTES
            if end > size:
                break
            stamp = head[5] << 24 | head[3] << 8 | head[4]
            media = position + _TAG_HEADER_BYTES
            item = self._tag(buffer, kind, stamp, media, media + length)
            if item is not None:
                yield start + position, item
                if self._behind is not None:
                    yield start + position, self._behind
                    self._behind = None
            position = end
        self._offset = start + position
        self._buffer = buffer[position:]

    def _tag(self, buffer: bytes, kind: int, stamp: int, start: int, end: int) -> FlvItem | None:
        if start == end:
            self.counters.empty += 1
            return None
        try:
            if kind == _VIDEO:
                return self._video(buffer, start, end, stamp)
            if kind == _AUDIO:
                return self._audio(buffer, start, end, stamp)
        except MalformedMedia:
            self.counters.malformed += 1
            return None
        return None  # metadata: the recorder writes none, and nothing here needs it

    def _video(
        self, buffer: bytes, start: int, end: int, stamp: int
    ) -> Packet | VideoFormat | None:
        first = buffer[start]
        if first & _ENHANCED or first & 0x0F != _AVC or end - start < 5:  # noqa: PLR2004
            self.counters.unsupported += 1
            return None
        if buffer[start + 1] == _CONFIG:
            return self._video_format(buffer[start + 5 : end])
        if buffer[start + 1] != _MEDIA or end - start == 5:  # noqa: PLR2004
            return None  # end of sequence, or a frame without data
        offset = int.from_bytes(buffer[start + 2 : start + 5], "big", signed=True)
        data = buffer[start + 5 : end]
        return Packet(MediaKind.VIDEO, stamp, stamp + offset, first >> 4 == 1, data)

    def _audio(
        self, buffer: bytes, start: int, end: int, stamp: int
    ) -> Packet | AudioFormat | None:
        sound_format = buffer[start] >> 4
        if sound_format in {_MP3, _MP3_8K}:
            return self._mp3(buffer, start, end, stamp)
        if sound_format != _AAC:
            self.counters.unsupported += 1
            return None
        if end - start < 3:  # noqa: PLR2004
            self.counters.empty += 1
            return None
        data = buffer[start + 2 : end]
        if buffer[start + 1] == _CONFIG:
            if data == self._audio_config:
                return None
            track = aac_format(data)
            self._audio_config = data
            return track
        return Packet(MediaKind.AUDIO, stamp, stamp, True, data)

    def _mp3(self, buffer: bytes, start: int, end: int, stamp: int) -> Packet | AudioFormat:
        """There is no configuration: the first frame's own header tells the format. The tag's
        flags do not: they have no word for 48 kHz."""
        first, data = buffer[start : start + 1], buffer[start + 1 : end]
        if not data:
            raise MalformedMedia("an MP3 tag without a frame")
        packet = Packet(MediaKind.AUDIO, stamp, stamp, True, data)
        if first == self._audio_config:
            return packet
        track = mp3_format(data)
        self._audio_config, self._behind = first, packet
        return track

    def _video_format(self, config: bytes) -> VideoFormat | None:
        if config == self._video_config:
            return None
        width, height = picture_size(config)
        self._video_config = config
        return VideoFormat(Codec.H264, config, width, height)
