"""Rehearsals: a host sees what its encoder sends before its stream is live, and nobody else does.

A rehearsal is a hidden companion of a scheduled stream. Its media have an id of their own, which
is a stream's to the media plane and no stream's to everybody else
(docs/decisions/0021-rehearsals.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid4

from controller.domain.access import require_owner
from controller.domain.people import Identity
from controller.domain.ports import StreamStore
from controller.domain.states import IngestState
from controller.domain.streams import Stream
from controller.errors import RehearsalNotFound

_VERSION = 8
_VERSION_AT_BIT = 76


def new_rehearsal_id() -> UUID:
    """A random UUID of version 8 (RFC 9562 §5.8); streams have version 4."""
    return UUID(int=uuid4().int & ~(0xF << _VERSION_AT_BIT) | _VERSION << _VERSION_AT_BIT)


def is_rehearsal(media_id: UUID) -> bool:
    """Whether media of this id are a rehearsal's, to be counted, announced and pictured nowhere.

    Who may play them is for the store to say, never for this.
    """
    return media_id.version == _VERSION


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One rehearsal; `is_over` when it was ended, its time has run out, or its stream is not
    scheduled any more: what it left is then about to be removed, and it with it.
    """

    id: UUID
    stream_id: UUID
    owner_id: UUID
    started_at: datetime
    expires_at: datetime
    ingest_state: IngestState
    ingest_state_since: datetime
    is_over: bool


class RehearsalStore(Protocol):
    """Rehearsals; at most one per stream runs."""

    async def begin(self, stream_id: UUID, lasts: timedelta) -> tuple[Rehearsal, bool]:
        """The stream's rehearsal, and whether it is a new one; StreamNotScheduled,
        StreamNotFound.
        """
        ...

    async def running(self, stream_id: UUID) -> Rehearsal | None:
        """The stream's rehearsal that is not over."""
        ...

    async def find(self, rehearsal_id: UUID) -> Rehearsal | None:
        """The rehearsal, also one that is over."""
        ...

    async def all(self) -> Sequence[Rehearsal]:
        """All that are known, oldest first."""
        ...

    async def end(self, stream_id: UUID) -> Sequence[UUID]:
        """End what runs; answers all that are over and not forgotten."""
        ...

    async def forget(self, rehearsal_id: UUID) -> None:
        """Nothing is left of it. While a daemon has its encoder nothing happens: it still has to
        disconnect it.
        """
        ...

    async def set_ingest_state(
        self, rehearsal_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Rehearsal:
        """Compare-and-set along `INGEST_TRANSITIONS`; IllegalIngestState."""
        ...


class RehearsalMedia(Protocol):
    """The media side."""

    async def end(self, rehearsal_id: UUID, reason: str) -> None:
        """Disconnect the encoder, remove everything; bounded, goes on by itself, never raises."""
        ...


class OwnKeys(Protocol):
    """Stream keys, for their owner."""

    async def reveal(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The active keys in plaintext, where they can be read."""
        ...


@dataclass(frozen=True, slots=True)
class ShownRehearsal:
    """A rehearsal as its owner sees it."""

    rehearsal: Rehearsal
    stream_key: str | None
    is_new: bool = False


class RehearsalService:
    """What a host may do about a rehearsal; what ends one elsewhere."""

    def __init__(
        self,
        streams: StreamStore,
        store: RehearsalStore,
        keys: OwnKeys,
        media: RehearsalMedia,
        lasts_s: float,
    ) -> None:
        self._streams = streams
        self._store = store
        self._keys = keys
        self._media = media
        self._lasts = timedelta(seconds=lasts_s)

    async def start(self, caller: Identity, stream_id: UUID) -> ShownRehearsal:
        """Begin, or go on with the one that runs; NotYourStream, StreamNotScheduled."""
        await self._own(caller, stream_id)
        rehearsal, is_new = await self._store.begin(stream_id, self._lasts)
        return await self._shown(rehearsal, is_new=is_new)

    async def show(self, caller: Identity, stream_id: UUID) -> ShownRehearsal:
        """The rehearsal that runs; NotYourStream, RehearsalNotFound."""
        await self._own(caller, stream_id)
        rehearsal = await self._store.running(stream_id)
        if rehearsal is None:
            raise RehearsalNotFound
        return await self._shown(rehearsal)

    async def stop(self, caller: Identity, stream_id: UUID) -> None:
        """End it, also when none runs; NotYourStream."""
        await self._own(caller, stream_id)
        await self.end(stream_id, "rehearsal_ended")

    async def end(self, stream_id: UUID, reason: str) -> None:
        """See `RehearsalControl.end`."""
        for rehearsal_id in await self._store.end(stream_id):
            await self._media.end(rehearsal_id, reason)

    async def _own(self, caller: Identity, stream_id: UUID) -> Stream:
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        return stream

    async def _shown(self, rehearsal: Rehearsal, *, is_new: bool = False) -> ShownRehearsal:
        keys = await self._keys.reveal([rehearsal.stream_id])
        return ShownRehearsal(rehearsal, keys.get(rehearsal.stream_id), is_new)
