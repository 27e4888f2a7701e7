"""fallocate(2) as `os` does not have it: without a change of the file's size."""

import ctypes
import errno
import os

_KEEP_SIZE = 0x01
_PUNCH_HOLE = 0x02
_LIBC = ctypes.CDLL(None, use_errno=True)
_NOT_HERE = frozenset({errno.EOPNOTSUPP, errno.ENOSYS})


def reserve(descriptor: int, start: int, length: int) -> bool:
    """Allocate space for bytes that will be written; False on a file system that cannot.

    Raises OSError, with ENOSPC when there is none.
    """
    return _fallocate(descriptor, _KEEP_SIZE, start, length)


def punch_hole(descriptor: int, start: int, length: int) -> bool:
    """Free the space of bytes, which read as zeros then; False on a file system that cannot."""
    return _fallocate(descriptor, _KEEP_SIZE | _PUNCH_HOLE, start, length)


def _fallocate(descriptor: int, mode: int, start: int, length: int) -> bool:
    if _LIBC.fallocate(descriptor, mode, ctypes.c_int64(start), ctypes.c_int64(length)) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NOT_HERE:
        return False
    raise OSError(code, os.strerror(code))
