"""One `golive dev` per data folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.dev.errors import AlreadyRunningError
from controller.dev.layout import lock_file


@contextmanager
def locked_data_dir(data_dir: Path) -> Iterator[None]:
    """Hold the folder's lock; the kernel gives it back however the process ends.

    Raises AlreadyRunningError at once when another process holds it.
    """
    path = lock_file(data_dir)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            raise AlreadyRunningError(
                f"golive dev already runs on {data_dir}"
                f"{f' (pid {holder})' if holder else ''}: stop it or choose another "
                "folder with --data."
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_locked(data_dir: Path) -> bool:
    """Whether a `golive dev` runs on the folder."""
    try:
        descriptor = os.open(lock_file(data_dir), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
