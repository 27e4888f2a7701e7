"""A live stream's media as the daemon sees it: journal → window, files, recording.

It outlives sessions: an encoder that reconnects, or a worker that is restarted, goes on in it.
"""

from pathlib import Path

from ingest.journal_entries import StreamFinished
from ingest.vod.journal import JournalReader, JournalWriter
from ingest.vod.recorder import Recorder
from ingest.vod.recovery import seal
from ingest.window.live_window import LiveWindow
from ingest.window.segment_store import SegmentStore


class StreamMedia:
    """The folder of one stream, its live window and, when it is recorded, its recorder."""

    def __init__(
        self, stream_id: str, folder: Path, dvr_window_s: float, recorder: Recorder | None
    ) -> None:
        self.stream_id = stream_id
        self.folder = folder
        self.window = LiveWindow(dvr_window_s)
        self.recorder = recorder
        self._reader = JournalReader(folder)
        self._store = SegmentStore(folder)
        self._expired: list[str] = []
        self._recorded_before = 0  # the recorder has to come here before files go

    def refresh(self) -> bool:
        """Read what the journal has new, wake players, remove expired files; False when there
        was nothing. Raises JournalCorrupt."""
        entries = self._reader.read_new()
        if not entries:
            return False
        self.window.apply(entries)
        self._remove_expired()
        return True

    def _remove_expired(self) -> None:
        """Remove files that no player needs; those that are yet to be recorded wait."""
        self._expired += self.window.take_expired()
        if self.recorder is not None and self.recorder.offset < self._recorded_before:
            return
        for name in self._expired:
            self._store.remove(name)
        self._expired = []
        self._recorded_before = self._reader.offset

    def seal(self) -> None:
        """Finish what a session that died left open. No worker may be writing."""
        with JournalWriter(self.folder) as journal:
            seal(self.folder, journal)
        self.refresh()

    def finish(self, reason: str) -> None:
        """Seal, and end the stream: no session comes after. No worker may be writing."""
        with JournalWriter(self.folder) as journal:
            if not seal(self.folder, journal).finished:
                journal.append(StreamFinished(reason=reason))
        self.refresh()

    def close(self) -> None:
        """Close the journal, and the recorder's."""
        self._reader.close()
        if self.recorder is not None:
            self.recorder.close()
