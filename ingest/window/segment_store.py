"""The files of one stream's renditions, named so that nginx sends them as they are.

A file appears whole or not at all: it is written under a temporary name and renamed.
"""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from ingest.journal_entries import init_name, part_name, segment_name


class SegmentStore:
    """Init sections, parts and segments below `folder` (one folder a rendition)."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add_rendition(self, rendition: str) -> None:
        """Make the rendition's folder."""
        (self._folder / rendition).mkdir(parents=True, exist_ok=True)

    def write_init(self, rendition: str, init: int, data: bytes) -> None:
        """Write a Media Initialization Section."""
        self._write(rendition, init_name(init), [data])

    def write_part(self, rendition: str, number: int, data: bytes) -> None:
        """Write a Partial Segment."""
        self._write(rendition, part_name(number), [data])

    def write_segment(self, rendition: str, msn: int, parts: Sequence[bytes]) -> int:
        """Write a Media Segment from its parts; answers its size in bytes."""
        return self._write(rendition, segment_name(msn), parts)

    def read_part(self, rendition: str, number: int) -> bytes:
        """The bytes of a Partial Segment that was written."""
        return (self._folder / rendition / part_name(number)).read_bytes()

    def segment_path(self, rendition: str, msn: int) -> Path:
        """Where a Media Segment is, or was."""
        return self._folder / rendition / segment_name(msn)

    def join_parts(self, rendition: str, msn: int, numbers: Sequence[int]) -> int:
        """Write a Media Segment from the files of its parts; answers its size in bytes."""
        parts = [self.read_part(rendition, number) for number in numbers]
        return self.write_segment(rendition, msn, parts)

    def remove(self, relative: str) -> None:
        """Remove a file by its name below the stream's folder; one that is gone is fine."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(f"{self._folder}/{relative}")

    def _write(self, rendition: str, name: str, chunks: Sequence[bytes]) -> int:
        path = f"{self._folder}/{rendition}/{name}"
        temporary = f"{self._folder}/{rendition}/.{name}"
        size = sum(map(len, chunks))
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            written = os.writev(descriptor, chunks) if chunks else 0
            if written != size:  # a full disk, a signal: the rest in one piece
                rest = memoryview(b"".join(chunks))[written:]
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
        finally:
            os.close(descriptor)
        os.rename(temporary, path)
        return size
