"""One stream's place in the uploader."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from ingest.vod.upload_ledger import Upload


@dataclass(slots=True, eq=False)
class UploadLane:
    """`open` objects are yet to be stored, `sending` of them are on their way.

    `stored_offset`: bytes of the journal whose files are stored. `idle` is set while nothing is
    open.
    """

    stream_id: str
    folder: Path
    open: int
    stored_offset: int
    sending: int = 0
    failures: int = 0
    not_before_s: float = 0.0
    last_error: str = ""
    unmarked: list[Upload] = field(default_factory=list)
    """Uploads whose outcome the ledger could not be told; they are looked up again."""
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        if not self.open:
            self.idle.set()

    @property
    def sendable(self) -> bool:
        """Whether an object waits that nobody is sending."""
        return self.open > self.sending

    def expect(self, count: int) -> None:
        """So many objects more are open."""
        self.open += count
        if self.open:
            self.idle.clear()

    def settle(self, count: int) -> None:
        """So many are not open any more."""
        self.open -= count
        if not self.open:
            self.idle.set()
