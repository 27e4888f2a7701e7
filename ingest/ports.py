"""What the media plane asks of the outside: small Protocols, implemented by whoever runs it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ObjectKind:
    """How an object is served: its media type, and how long caches may keep it."""

    content_type: str
    cache_control: str


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What a store holds under a key. `md5` is in hexadecimal; empty where the store keeps none."""

    size: int
    md5: str


class ObjectStore(Protocol):
    """Where recordings and uploads are kept. Keys are `/`-separated, without a leading slash.

    Every call raises ObjectStoreError when it cannot be carried out, ObjectStoreRefused when
    trying again would not help. It is tried once: when and how often again is the caller's
    business. Storing the same object twice is fine.
    """

    async def put_file(self, key: str, path: Path, kind: ObjectKind) -> StoredObject:
        """Store the file at `path`; whole or not at all. Answers what the store confirmed."""
        ...

    async def put_bytes(self, key: str, data: bytes, kind: ObjectKind) -> StoredObject:
        """Store `data`; whole or not at all. Answers what the store confirmed."""
        ...

    async def get_file(self, key: str, path: Path, most_bytes: int) -> int | None:
        """Fetch the object into a new file at `path`, which may share its bytes with the store: it
        is for reading only. Answers its size; None when there is no such object. Refused when it
        has more than `most_bytes`."""
        ...

    async def stat(self, key: str) -> StoredObject | None:
        """What is stored under `key`; None when there is nothing."""
        ...

    async def holds(self, key: str, path: Path) -> bool:
        """Whether the object is, byte for byte, the file at `path`."""
        ...

    async def keys(self, prefix: str) -> Sequence[str]:
        """The keys of all objects that begin with `prefix`."""
        ...

    async def delete(self, key: str) -> None:
        """Remove the object; one that is not there is fine."""
        ...

    async def check(self) -> None:
        """Raise unless the store answers, knows us, and has the place for our objects."""
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


class PlayerRequest(Protocol):
    """A player's request, as far as counting it needs."""

    @property
    def remote(self) -> str | None:
        """The peer's address; None for a unix socket."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """Whatever their case."""
        ...

    @property
    def query(self) -> Mapping[str, str]:
        """Decoded."""
        ...

    @property
    def cookies(self) -> Mapping[str, str]:
        """By name."""
        ...


class ViewingSessions(Protocol):
    """Counts players, which say who they are in the addresses of their playlists."""

    def open(self, stream_id: str, offered: str, request: PlayerRequest) -> str:
        """The session that this player's further requests shall carry: the offered one if it is
        good. URL-safe; empty for a player that is not counted.
        """
        ...

    def seen(self, stream_id: str, session: str, request: PlayerRequest) -> None:
        """A request that carries the session has come; never raises, whatever it carries."""
        ...
