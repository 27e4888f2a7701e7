"""The append-only file in which a stream's sessions write what they have made.

One writer at a time; any number of readers, each at its own offset. A line that was cut off by a
crash is not an entry: readers wait for its end, the next writer removes it.
"""

import os
from pathlib import Path
from typing import Self

import msgspec

from ingest.errors import JournalCorrupt
from ingest.journal_entries import JournalEntry

JOURNAL_NAME = "journal.jsonl"
_READ_BYTES = 1 << 18

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[JournalEntry] = msgspec.json.Decoder(JournalEntry)


class JournalWriter:
    """Appends entries to `{folder}/journal.jsonl`; each is in the file when `append` returns."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / JOURNAL_NAME
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        _remove_torn_line(self._fd)
        self._size = os.fstat(self._fd).st_size

    @property
    def size(self) -> int:
        """Bytes in the file."""
        return self._size

    def append(self, *entries: JournalEntry) -> None:
        """Append entries with one write."""
        data = b"".join(_encoder.encode(entry) + b"\n" for entry in entries)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self._fd, rest) :]
        self._size += len(data)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)

    def __enter__(self) -> Self:
        """The writer itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


class JournalReader:
    """Reads a journal from its start, and later what has been appended since."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL_NAME
        self._fd = -1
        self._offset = 0

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()

    @property
    def offset(self) -> int:
        """Bytes read so far."""
        return self._offset

    def read_new(self) -> list[JournalEntry]:
        """Complete entries behind the last one read, oldest first; empty when there are none.

        Raises JournalCorrupt for a complete line that is no entry.
        """
        entries: list[JournalEntry] = []
        while some := self.read_some():
            entries += some
        return entries

    def read_some(self) -> list[JournalEntry]:
        """The next few of what `read_new` answers: a bounded number of bytes, or one long entry."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return []
        data = self._read_on()
        end = data.rfind(b"\n") + 1
        entries = []
        for line in data[:end].splitlines():
            try:
                entries.append(_decoder.decode(line))
            except msgspec.DecodeError as error:
                where = f"{self._path} behind byte {self._offset}"
                raise JournalCorrupt(f"{where}: {error}") from error
        self._offset += end
        return entries

    def close(self) -> None:
        """Close the file; reading on opens it again."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read_on(self) -> bytes:
        """Bytes from the offset on: some, or as many as it takes to the end of a line."""
        data = b""
        while chunk := os.pread(self._fd, _READ_BYTES, self._offset + len(data)):
            data += chunk
            if b"\n" in chunk:
                break
        return data


def _remove_torn_line(descriptor: int) -> None:
    """Cut the file behind its last newline."""
    size = os.fstat(descriptor).st_size
    end = size
    while end > 0:
        start = max(0, end - 4096)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    if end != size:
        os.ftruncate(descriptor, end)
