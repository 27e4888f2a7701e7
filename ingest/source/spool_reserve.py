"""Space that a spool file has before nginx needs it.

nginx-rtmp's recorder does not survive a full disk: it closes its file and goes on writing to that
descriptor, whatever it belongs to by then. So blocks are allocated ahead of where it writes; when
no more are to be had, there is time left to take leave of the encoder.
"""

import errno
import os
from pathlib import Path

from ingest.errors import SpoolFull
from ingest.source import fallocate
from ingest.source.spool import is_locked

NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})
_AHEAD_BYTES = 8 << 20
_LEAST_BYTES = 1 << 20
_STEP_BYTES = 1 << 20


class SpoolReserve:
    """Keeps `ahead_bytes` allocated behind the end of the growing file at `path`.

    At 6 Mbit/s the default lasts for 8 s of a full disk. A file system that cannot allocate
    ahead gets no reserve.
    """

    def __init__(
        self, path: Path, ahead_bytes: int = _AHEAD_BYTES, least_bytes: int = _LEAST_BYTES
    ) -> None:
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._ahead = ahead_bytes
        self._least = least_bytes
        self._until = 0
        self._is_possible = True

    def keep(self) -> None:
        """Look at how far the file has come, and allocate more when a mebibyte is used up.

        Raises SpoolFull when less than `least_bytes` are left, there is no space for more, and
        the recorder is still writing.
        """
        size = os.fstat(self._fd).st_size
        if not self._is_possible or self._until - size > self._ahead - _STEP_BYTES:
            return
        if self._take(size, self._ahead) or self._until - size >= self._least:
            return
        if not self._take(size, self._least) and is_locked(self._fd):
            raise SpoolFull("the disk of the spool is full")

    def _take(self, size: int, length: int) -> bool:
        """Have `length` bytes allocated from `size` on. Those that are already are not asked for
        again: the kernel looks at each page."""
        start, end = max(size, self._until), size + length
        if end <= start:
            return True
        try:
            self._is_possible = fallocate.reserve(self._fd, start, end - start)
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            return False
        self._until = end
        return True

    def close(self) -> None:
        """Close the file; what was allocated and not used goes with it."""
        os.close(self._fd)
