"""One stream's recording: what its journal announces goes into the upload ledger while it is live,
and is kept in mind for the playlists, so that the end of the stream has little left to do."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ingest.journal_entries import JournalEntry, SegmentWritten
from ingest.manifest.hls_history import PlaylistHistory
from ingest.manifest.hls_playlist import write_ahead
from ingest.presentation import Presentation
from ingest.vod.gaps import without
from ingest.vod.journal import JournalReader
from ingest.vod.object_keys import media_key, recorded_file
from ingest.vod.upload_ledger import NewUpload
from ingest.vod.uploader import Uploader
from ingest.window.live_window import LiveWindow

_WHOLE_STREAM_S = 10 * 365 * 86_400.0
_WRITE_AHEAD_SEGMENTS = 64


class _Batch(NamedTuple):
    """What the journal announces between two of its bytes."""

    start: int
    end: int
    uploads: list[NewUpload]


class Recorder:
    """Reads the journal in `folder`, from its start; `catch_up` is safe to call from several
    tasks.

    It keeps the Media Segments of the whole stream, all but the newest in a file without a name.
    While `suspended` is set, the segments that come are left out of the recording. `private`: not
    everybody may play it.
    """

    def __init__(
        self, stream_id: str, folder: Path, uploader: Uploader, *, private: bool = False
    ) -> None:
        self.suspended = False
        self.private = private
        self._stream_id = stream_id
        self._folder = folder
        self._uploader = uploader
        self._reader = JournalReader(folder)
        self._recorded = LiveWindow(_WHOLE_STREAM_S)
        self._position: int | None = None  # of the ledger, in the journal
        self._batch: _Batch | None = None
        self._unwritten = 0  # segments since the last look at the playlists
        self._histories: dict[str, PlaylistHistory] = {}
        self._missing: frozenset[str] = frozenset()
        self._left_out: set[str] = set()
        self._lock = asyncio.Lock()

    def leaves_out(self, name: str) -> bool:
        """Whether the file of the stream's folder was left out, and may go at any time."""
        return name in self._left_out

    @property
    def offset(self) -> int:
        """Bytes of the journal whose media are stored."""
        return self._uploader.stored_offset(self._stream_id)

    async def catch_up(self) -> None:
        """Enter everything that the journal has into the ledger; the uploader does the rest.

        Raises LedgerUnavailable; what was not entered is by the next call.
        """
        async with self._lock:
            if self._position is None:
                self._position = await self._uploader.open(self._stream_id, self._folder)
                self._left_out |= await self._uploader.missing(self._stream_id)
            await self._enter()  # what a call before could not
            while self._read_on():
                await self._enter()

    def _read_on(self) -> bool:
        """Read a little more of the journal; False at its end."""
        start = self._reader.offset
        entries = self._reader.read_some()
        if not entries:
            return False
        self._recorded.apply(entries)
        self._recorded.take_expired()  # the live window sees to the files
        self._write_ahead(entries)
        self._batch = _Batch(start, self._reader.offset, self._uploads(entries))
        return True

    def _write_ahead(self, entries: list[JournalEntry]) -> None:
        self._unwritten += sum(isinstance(entry, SegmentWritten) for entry in entries)
        if self._unwritten < _WRITE_AHEAD_SEGMENTS:
            return
        self._unwritten = 0
        for rendition in self._recorded.presentation().renditions:
            write_ahead(rendition, self._histories.setdefault(rendition.name, PlaylistHistory()))

    def _uploads(self, entries: list[JournalEntry]) -> list[NewUpload]:
        """What has to be stored of the entries; initialization sections in any case."""
        uploads = []
        for entry in entries:
            found = recorded_file(entry)
            if found is not None:
                left_out = self.suspended and isinstance(entry, SegmentWritten)
                name, size = found
                key = media_key(self._stream_id, name, private=self.private)
                uploads.append(NewUpload(name, key, size, left_out))
        return uploads

    async def _enter(self) -> None:
        """Enter what was read, unless the ledger of an earlier run has it already."""
        batch = self._batch
        if batch is not None and batch.end > (self._position or 0):
            await self._uploader.add(self._stream_id, batch.start, batch.end, batch.uploads)
            self._position = batch.end
            self._left_out.update(upload.name for upload in batch.uploads if upload.left_out)
        self._batch = None
        await asyncio.sleep(0)  # a long journal keeps nobody waiting

    async def stored(self, timeout_s: float) -> None:
        """Wait until everything that `catch_up` found is on the store. Raises ObjectStoreError
        when it is not within `timeout_s`; it goes on all the same."""
        await self._uploader.wait_stored(self._stream_id, timeout_s)
        self._missing = await self._uploader.missing(self._stream_id)

    def presentation(self) -> Presentation:
        """Everything that `catch_up` found and `stored` saw stored, for the playlists."""
        return without(self._recorded.presentation(), self._missing)

    @property
    def histories(self) -> Mapping[str, PlaylistHistory]:
        """What is written of the playlists already, by rendition; not when segments are missing."""
        return {} if self._missing else self._histories

    def close(self) -> None:
        """Close the journal."""
        self._reader.close()
