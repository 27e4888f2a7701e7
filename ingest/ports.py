"""What the media plane asks of the outside: small Protocols, implemented by whoever runs it."""

from pathlib import Path
from typing import Protocol


class ObjectStore(Protocol):
    """Where recordings and uploads are kept. Keys are `/`-separated, without a leading slash.

    Every call raises ObjectStoreError when it cannot be carried out; storing the same object
    twice is fine.
    """

    async def put_file(self, key: str, path: Path, content_type: str) -> None:
        """Store the file at `path`; whole or not at all."""
        ...

    async def put_bytes(self, key: str, data: bytes, content_type: str) -> None:
        """Store `data`; whole or not at all."""
        ...

    async def size(self, key: str) -> int | None:
        """Bytes of an object; None when there is none."""
        ...


class PublicationProbe(Protocol):
    """Asks the RTMP server what it sees."""

    async def is_publishing(self, publication: str) -> bool:
        """Whether an encoder is sending `publication` (its internal name) now."""
        ...


class PlaybackAuthorizer(Protocol):
    """Decides who may fetch a stream's playlists."""

    async def may_play(self, stream_id: str, token: str | None) -> bool:
        """Whether the bearer of `token` (None: nobody in particular) may play `stream_id`."""
        ...
