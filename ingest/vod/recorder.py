"""Puts a stream's finished segments on the object store while it is live, from its journal."""

import asyncio
from pathlib import Path

from ingest.journal_entries import (
    InitWritten,
    JournalEntry,
    SegmentWritten,
    init_name,
    segment_name,
)
from ingest.ports import ObjectStore
from ingest.vod.journal import JournalReader

_SEGMENT_TYPE = "video/iso.segment"
_INIT_TYPE = "video/mp4"


def vod_folder(stream_id: str) -> str:
    """Key prefix of a recording's media, without the trailing slash."""
    return f"vods/{stream_id}"


class Recorder:
    """One stream's recording; `catch_up` is safe to call from several tasks."""

    def __init__(self, stream_id: str, folder: Path, store: ObjectStore) -> None:
        self._prefix = vod_folder(stream_id)
        self._folder = folder
        self._store = store
        self._reader = JournalReader(folder)
        self._pending: list[JournalEntry] = []
        self._stored = 0
        self._lock = asyncio.Lock()

    @property
    def offset(self) -> int:
        """Bytes of the journal whose media are stored."""
        return self._stored

    async def catch_up(self) -> None:
        """Store everything that the journal has and the store has not.

        Raises ObjectStoreError; what was not stored is tried again by the next call.
        """
        async with self._lock:
            self._pending += self._reader.read_new()
            while self._pending:
                name, content_type = _object_of(self._pending[0])
                if name:
                    key = f"{self._prefix}/{name}"
                    await self._store.put_file(key, self._folder / name, content_type)
                self._pending.pop(0)
            self._stored = self._reader.offset

    def close(self) -> None:
        """Close the journal."""
        self._reader.close()


def _object_of(entry: JournalEntry) -> tuple[str, str]:
    """File, relative to the stream's folder, that `entry` announces for the recording."""
    match entry:
        case InitWritten():
            return f"{entry.rendition}/{init_name(entry.init)}", _INIT_TYPE
        case SegmentWritten() if entry.parts:
            return f"{entry.rendition}/{segment_name(entry.msn)}", _SEGMENT_TYPE
    return "", ""
