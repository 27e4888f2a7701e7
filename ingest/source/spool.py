"""Tails the file into which nginx-rtmp's recorder writes a publication as it arrives."""

import fcntl
import os
import struct
from pathlib import Path
from typing import Self

from ingest.source import fallocate

_READ_BYTES = 1 << 20
_USUAL_BYTES = 1 << 16
"""A larger block is mapped anew for each read, which costs ten times as much as the reading."""

_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux (fcntl(2))
_PAGE = 4096
_PUNCH_AT_LEAST = 1 << 20


class SpoolTail:
    """Reads a growing spool file from `offset` on, and gives back what is behind.

    The recorder holds a lock on the file while the encoder is there (record_lock): a free lock
    is the one sign that it has gone which comes in every case, nginx's own death included.
    """

    def __init__(self, path: Path, offset: int) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._offset = offset
        self._punched = 0
        self._is_behind = False

    def __enter__(self) -> Self:
        """The tail itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def read(self) -> bytes:
        """What has been written since, 1 MiB at most; empty when there is nothing new."""
        data = os.pread(self._fd, _USUAL_BYTES, self._offset)
        if len(data) == _USUAL_BYTES:
            rest = _READ_BYTES - _USUAL_BYTES
            data += os.pread(self._fd, rest, self._offset + _USUAL_BYTES)
        self._offset += len(data)
        self._is_behind = len(data) == _READ_BYTES
        return data

    @property
    def is_behind(self) -> bool:
        """Whether the last read left something unread."""
        return self._is_behind

    @property
    def unread_bytes(self) -> int:
        """What has been written and not been read."""
        return max(0, os.fstat(self._fd).st_size - self._offset)

    def writer_gone(self) -> bool:
        """Whether nobody holds the recorder's lock. Read once more afterwards: what came before
        the writer left is in the file."""
        return not is_locked(self._fd)

    def give_back(self, until: int) -> None:
        """Free the disk space before byte `until`; the file keeps its length and offsets.

        A file system that cannot punch holes keeps the bytes until the file goes.
        """
        end = until // _PAGE * _PAGE
        if end - self._punched < _PUNCH_AT_LEAST:
            return
        fallocate.punch_hole(self._fd, self._punched, end - self._punched)
        self._punched = end


def is_locked(descriptor: int) -> bool:
    """Whether another process holds a lock on the file (fcntl(2)), as the recorder does."""
    query = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, query)
    return bool(_FLOCK.unpack(answer)[0] != fcntl.F_UNLCK)
