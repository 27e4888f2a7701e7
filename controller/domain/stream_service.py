"""The Go Live flow: who may take a stream from scheduled to live to ended, and what follows."""

from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Protocol, TypeVar
from uuid import UUID, uuid4

import structlog

from controller.domain.access import (
    Standing,
    is_in_audience,
    require_audience,
    require_owner,
    require_owner_or_admin,
)
from controller.domain.descriptions import DescribedStream
from controller.domain.paging import Page, PageRequest
from controller.domain.people import Identity
from controller.domain.ports import (
    Clock,
    EndedMedia,
    PublishingControl,
    RehearsalControl,
    StreamAnnouncer,
    StreamCatalogue,
    StreamStore,
    UserStore,
)
from controller.domain.products import Product
from controller.domain.publications import StoredKey
from controller.domain.states import EndReason, IngestState, StreamStatus
from controller.domain.streams import (
    Audience,
    CreatedStream,
    IdempotentCall,
    Stream,
    StreamChanges,
    StreamFilter,
    StreamOptions,
)
from controller.errors import HostNotReady, OnlySellersCreate

ResultT = TypeVar("ResultT")


class StreamKeyring(Protocol):
    """Stream keys as the flow needs them."""

    def issue(self, stream_id: UUID) -> tuple[str, StoredKey]:
        """A first key for a stream that is about to be created."""
        ...

    async def reveal(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, str]:
        """The active keys in plaintext, where they can be read."""
        ...

    async def rotate(self, stream_id: UUID) -> str:
        """A new key instead of the active one; KeyNotRotatable."""
        ...


@dataclass(frozen=True, slots=True)
class NewStream:
    """What a host asks for."""

    title: str
    category: str
    description: str | None = None
    options: StreamOptions = field(default_factory=StreamOptions)
    product_ids: tuple[UUID, ...] = ()
    scheduled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ShownStream:
    """A stream as one caller sees it; `stream_key` for its owner only."""

    described: DescribedStream
    stream_key: str | None


@dataclass(frozen=True, slots=True)
class OnAir:
    """A stream that has gone live, its key, and the notifications really queued."""

    stream: Stream
    stream_key: str | None
    notifications_queued: int


class StreamService:
    """Every command on a stream: checks the caller, changes the state, tells media and room."""

    def __init__(
        self,
        streams: StreamStore,
        catalogue: StreamCatalogue,
        users: UserStore,
        keys: StreamKeyring,
        publishing: PublishingControl,
        rehearsals: RehearsalControl,
        announcer: StreamAnnouncer,
        clock: Clock,
    ) -> None:
        self._streams = streams
        self._catalogue = catalogue
        self._users = users
        self._keys = keys
        self._publishing = publishing
        self._rehearsals = rehearsals
        self._announcer = announcer
        self._clock = clock
        self._log = structlog.get_logger(__name__)

    async def create(
        self, caller: Identity, new: NewStream, idempotency_key: str | None = None
    ) -> CreatedStream:
        """Schedule a stream; OnlySellersCreate, ProductsNotAvailable, IdempotencyKeyReused."""
        if not caller.role.sells:
            raise OnlySellersCreate
        now = self._clock.now()
        stream = Stream(
            id=uuid4(),
            owner_id=caller.user_id,
            title=new.title,
            description=new.description,
            category=new.category,
            status=StreamStatus.SCHEDULED,
            ingest_state=IngestState.IDLE,
            ingest_state_since=now,
            created_at=now,
            updated_at=now,
            options=new.options,
            scheduled_at=new.scheduled_at,
        )
        call = None
        if idempotency_key is not None:
            fingerprint = sha256(repr(new).encode()).hexdigest()
            call = IdempotentCall(caller.user_id, idempotency_key, fingerprint)
        _, key = self._keys.issue(stream.id)
        return await self._streams.create(stream, new.product_ids, key, call)

    async def show(self, caller: Identity | None, stream_id: UUID) -> ShownStream:
        """The stream as the caller may see it; StreamNotFound, NotInAudience."""
        described = await self._catalogue.describe(stream_id)
        await self.require_audience(described.stream, caller)
        keys = await self._own_keys(caller, [described])
        return ShownStream(described, keys.get(stream_id))

    async def list(
        self, caller: Identity | None, which: StreamFilter, page: PageRequest
    ) -> Page[ShownStream]:
        """The streams whose audience includes the caller, newest first."""
        found = await self._catalogue.find(which, caller, page)
        keys = await self._own_keys(caller, found.items)
        shown = [ShownStream(item, keys.get(item.stream.id)) for item in found.items]
        return Page(shown, found.next)

    async def attach(
        self, caller: Identity, stream_id: UUID, product_ids: Sequence[UUID]
    ) -> Sequence[Product]:
        """Attach products; NotYourStream, StreamNotAttachable, ProductsNotFound."""
        await self._own(caller, stream_id)
        return await self._streams.attach_products(stream_id, product_ids)

    async def detach(
        self, caller: Identity, stream_id: UUID, product_id: UUID
    ) -> Sequence[Product]:
        """Detach a product; NotYourStream, StreamNotAttachable, ProductNotInStream."""
        await self._own(caller, stream_id)
        return await self._streams.detach_product(stream_id, product_id)

    async def update(self, caller: Identity, stream_id: UUID, changes: StreamChanges) -> Stream:
        """Change settings; NotYourStream, StreamNotEditable."""
        await self._own(caller, stream_id)
        return await self._streams.update(stream_id, changes)

    async def go_live(self, caller: Identity, stream_id: UUID, *, is_ready: bool) -> OnAir:
        """Open the stream, whose rehearsal is over; NotYourStream, HostNotReady,
        StreamNotScheduled, StreamWithoutProducts.
        """
        await self._own(caller, stream_id)
        if not is_ready:
            raise HostNotReady
        live = await self._streams.go_live(stream_id)
        await self._announcer.started(live.stream)
        await self._end_rehearsal(stream_id, "stream_live")
        keys = await self._keys.reveal([stream_id])
        return OnAir(live.stream, keys.get(stream_id), live.notifications_queued)

    async def end(self, caller: Identity, stream_id: UUID) -> Stream:
        """End the stream for good; NotYourStream, StreamNotLive.

        The encoder is dropped and the recording published afterwards: should that fail, the
        stream has ended all the same, and its `vod_url` follows when there is one.
        """
        stream = await self._streams.get(stream_id)
        require_owner_or_admin(stream, caller)
        is_host = stream.owner_id == caller.user_id
        reason = EndReason.HOST if is_host else EndReason.ADMINISTRATOR
        ended = await self._streams.end(stream_id, reason)
        await self._announcer.ended(ended)
        media = await self._outcome(
            "end_stream", stream_id, self._publishing.end_stream(stream_id), EndedMedia(None)
        )
        if media.vod_url is not None:
            return await self._streams.set_vod(stream_id, media.vod_url)
        return await self._streams.get(stream_id)

    async def cancel(self, caller: Identity, stream_id: UUID) -> Stream:
        """Call a scheduled stream off; NotYourStream, StreamNotScheduled."""
        require_owner_or_admin(await self._streams.get(stream_id), caller)
        cancelled = await self._streams.cancel(stream_id)
        await self._end_rehearsal(stream_id, "stream_cancelled")
        return cancelled

    async def rotate_key(self, caller: Identity, stream_id: UUID) -> str:
        """A new key; the old one stops working, its encoder is dropped. KeyNotRotatable."""
        await self._own(caller, stream_id)
        key = await self._keys.rotate(stream_id)
        drop = self._publishing.disconnect_publisher(stream_id, "key_rotated")
        await self._outcome("disconnect_publisher", stream_id, drop, None)
        await self._end_rehearsal(stream_id, "key_rotated")
        return key

    async def require_audience(self, stream: Stream, caller: Identity | None) -> None:
        """Raise NotInAudience unless the caller may see the stream."""
        standing = Standing()
        needs_look_up = stream.options.audience is not Audience.EVERYONE
        if caller is not None and needs_look_up and not is_in_audience(stream, caller, standing):
            standing = await self._users.standing(caller.user_id, stream.owner_id)
        require_audience(stream, caller, standing)

    async def _own(self, caller: Identity, stream_id: UUID) -> Stream:
        stream = await self._streams.get(stream_id)
        require_owner(stream, caller)
        return stream

    async def _own_keys(
        self, caller: Identity | None, shown: Sequence[DescribedStream]
    ) -> Mapping[UUID, str]:
        if caller is None:
            return {}
        own = [item.stream.id for item in shown if item.stream.owner_id == caller.user_id]
        return await self._keys.reveal(own) if own else {}

    async def _end_rehearsal(self, stream_id: UUID, reason: str) -> None:
        end = self._rehearsals.end(stream_id, reason)
        await self._outcome("end_rehearsal", stream_id, end, None)

    async def _outcome(
        self, step: str, stream_id: UUID, work: Awaitable[ResultT], otherwise: ResultT
    ) -> ResultT:
        """The media side's answer; its failure does not undo what is committed."""
        try:
            return await work
        except Exception:  # noqa: BLE001 - whatever it is, the transition stands
            self._log.exception("publishing_step_failed", step=step, stream_id=str(stream_id))
            return otherwise
