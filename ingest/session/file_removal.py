"""Removes files that nobody needs any more, beside the loop: an unlink may wait for the disk, and
players would wait with it."""

from collections.abc import Iterable
from concurrent.futures import Executor, Future

import structlog

from ingest.window.segment_store import SegmentStore

_WORTH_IT = 16
"""Names that are handed over at a time: a thread costs more to wake than a file to remove."""


class FileRemoval:
    """The expired files of one stream.

    One batch is with `threads` at a time. However slow the disk is, what waits for it here are
    names, at most those of the files that are there.
    """

    def __init__(self, store: SegmentStore, threads: Executor) -> None:
        self._store = store
        self._threads = threads
        self._waiting: list[str] = []
        self._running: Future[None] | None = None
        self._log = structlog.get_logger()

    def remove(self, names: Iterable[str]) -> None:
        """Have the files of these names, below the stream's folder, removed before long."""
        self._waiting += names
        if len(self._waiting) >= _WORTH_IT and (self._running is None or self._running.done()):
            self.flush()

    def flush(self) -> None:
        """Hand over what waits."""
        if self._waiting:
            names, self._waiting = self._waiting, []
            self._running = self._threads.submit(self._remove, names)

    def _remove(self, names: list[str]) -> None:
        failed = 0
        for name in names:
            try:
                self._store.remove(name)
            except OSError as error:
                failed += 1
                reason = error.strerror
        if failed:
            self._log.error("files_not_removed", files=failed, reason=reason)
