"""A live stream's media as the daemon sees it: journal → window, files, recording.

It outlives sessions: an encoder that reconnects, or a worker that is restarted, goes on in it.
"""

import time
from collections import deque
from concurrent.futures import Executor
from copy import deepcopy
from pathlib import Path
from typing import NamedTuple

from ingest.journal_entries import Checkpoint, StreamFinished
from ingest.session.file_removal import FileRemoval
from ingest.session.health import Lateness, LatenessMeter
from ingest.settings import Thrift
from ingest.vod.journal import JournalReader, JournalWriter
from ingest.vod.object_keys import is_recorded
from ingest.vod.recorder import Recorder
from ingest.vod.recovery import JournalEnd, seal
from ingest.window.live_window import LiveWindow
from ingest.window.segment_store import SegmentStore


class _Expired(NamedTuple):
    """Files that no player needed any more when the journal ended at `offset`."""

    offset: int
    names: tuple[str, ...]


class StreamMedia:
    """The folder of one stream, its live window and, when it is recorded, its recorder.

    threads: remove files. keeps_files: without a recorder, whether segments stay when they leave
    the window.
    """

    def __init__(
        self,
        stream_id: str,
        folder: Path,
        dvr_window_s: float,
        recorder: Recorder | None,
        threads: Executor,
        *,
        keeps_files: bool = False,
    ) -> None:
        self.stream_id = stream_id
        self.folder = folder
        self.window = LiveWindow(dvr_window_s)
        self.recorder = recorder
        self._keeps_files = keeps_files
        self._thrift = Thrift.NONE
        self._reader = JournalReader(folder)
        self._end = JournalEnd()
        self._removal = FileRemoval(SegmentStore(folder), threads)
        self._expired: deque[_Expired] = deque()
        self._lateness = LatenessMeter()
        self._read_before = False

    @property
    def lateness(self) -> Lateness:
        """How late parts were listed since this daemon took the stream up."""
        return self._lateness.counted

    @property
    def checkpoint(self) -> Checkpoint | None:
        """Where the newest Media Segment begins in its spool, and what was in force there."""
        return self._end.checkpoint

    def economize(self, thrift: Thrift) -> None:
        """Take no more disk space than `thrift` allows, from now on."""
        self._thrift = thrift
        self.window.shorten(short=thrift >= Thrift.SHORT_WINDOWS)
        if self.recorder is not None:
            self.recorder.suspended = thrift >= Thrift.LIVE_ONLY

    def resumes(self, spool: str) -> bool:
        """Whether the journal says where to go on in that spool: the recorder knows its codecs."""
        checkpoint = self._end.checkpoint
        return checkpoint is not None and checkpoint.spool == spool

    def refresh(self) -> bool:
        """Read what the journal has new, wake players, remove expired files; False when there
        was nothing. Raises JournalCorrupt."""
        listed, self._read_before = self._read_before, True
        grown = False
        while entries := self._reader.read_some():  # hours may be read back: not all at once
            grown = True
            for entry in entries:
                self._end.take(entry)
            self.window.apply(entries)
            self._lateness.take(entries, time.monotonic(), listed=listed)
            self._remove_expired()
        return grown

    def _remove_expired(self) -> None:
        """Remove files that no player needs; segments that are yet to be recorded wait.

        A file that expires now was announced before now, so it is recorded when the recorder has
        come to where the journal ends now.
        """
        kept: list[str] = []
        free: list[str] = []
        for name in self.window.take_expired():
            (kept if self._is_needed(name) else free).append(name)
        if self.recorder is not None:
            if kept:
                self._expired.append(_Expired(self._reader.offset, tuple(kept)))
            while self._expired and self._expired[0].offset <= self.recorder.offset:
                free += self._expired.popleft().names
        self._removal.remove(free)

    def _is_needed(self, name: str) -> bool:
        """Whether a file that left the window is needed for the recording, now or afterwards."""
        if not is_recorded(name):
            return False
        if self.recorder is None:
            return self._keeps_files and self._thrift < Thrift.LIVE_ONLY
        return not self.recorder.leaves_out(name)

    def seal(self) -> None:
        """Finish what a session that died left open. No worker may be writing."""
        self.refresh()
        with JournalWriter(self.folder) as journal:
            seal(self.folder, journal, deepcopy(self._end))
        self.refresh()

    def finish(self, reason: str) -> None:
        """Seal, and end the stream: no session comes after. No worker may be writing."""
        self.refresh()
        with JournalWriter(self.folder) as journal:
            if not seal(self.folder, journal, deepcopy(self._end)).finished:
                journal.append(StreamFinished(reason=reason))
        self.refresh()

    def close(self) -> None:
        """Close the journal, and the recorder's."""
        self._removal.flush()
        self._reader.close()
        if self.recorder is not None:
            self.recorder.close()
