"""Writes a publisher's access units as nginx-rtmp's recorder would (Adobe FLV 10.1 §E)."""

import fcntl
import os
from pathlib import Path

_HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
_AUDIO, _VIDEO = 8, 9
_KEY, _INTER = 0x17, 0x27
_AAC = 0xAF


class FlvSpool:
    """A new spool file, locked for as long as it is open: whoever reads it knows by that whether
    more may come, even when this process is killed.

    Stamps are in milliseconds and never go back within a track. Every call may raise OSError; the
    reader waits for a tag that is not whole.
    """

    def __init__(self, path: Path) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags, 0o644)
        self._last = {_AUDIO: 0, _VIDEO: 0}
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._write(_HEADER)
        except BaseException:
            os.close(self._fd)
            raise

    def video_config(self, avcc: bytes, stamp_ms: int) -> None:
        """The payload of avcC."""
        self._tag(_VIDEO, bytes([_KEY, 0, 0, 0, 0]) + avcc, stamp_ms)

    def video(self, data: bytes, stamp_ms: int, *, is_key: bool) -> None:
        """Length-prefixed NAL units of one access unit, shown in the order of sending."""
        self._tag(_VIDEO, bytes([_KEY if is_key else _INTER, 1, 0, 0, 0]) + data, stamp_ms)

    def audio_config(self, config: bytes, stamp_ms: int) -> None:
        """An AudioSpecificConfig."""
        self._tag(_AUDIO, bytes([_AAC, 0]) + config, stamp_ms)

    def audio(self, data: bytes, stamp_ms: int) -> None:
        """One AAC frame."""
        self._tag(_AUDIO, bytes([_AAC, 1]) + data, stamp_ms)

    def close(self) -> None:
        """Let go of the lock: no more comes."""
        os.close(self._fd)

    def _tag(self, kind: int, body: bytes, stamp_ms: int) -> None:
        stamp = self._last[kind] = max(stamp_ms, self._last[kind])
        size = len(body).to_bytes(3)
        low, high = (stamp & 0xFFFFFF).to_bytes(3), bytes([stamp >> 24 & 0xFF])
        head = bytes([kind]) + size + low + high + b"\0\0\0"
        self._write(head + body + (len(head) + len(body)).to_bytes(4))

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._fd, view) :]
