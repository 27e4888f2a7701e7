"""What the control plane asks of its stores and of the parts that it does not import.

Every store method is one transaction, safe against other daemons on the same database, and
raises `StoreUnavailable` when the database does not answer in time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from controller.domain.access import PlaybackDecision, PlaybackFacts, Standing
from controller.domain.analytics import StreamFigures, Viewer
from controller.domain.descriptions import DescribedStream
from controller.domain.paging import Page, PageRequest
from controller.domain.people import Device, Identity, User, UserChanges
from controller.domain.products import Product, ProductEvent, ProductTag
from controller.domain.publications import KeyMatch, Publication, Publisher, StoredKey
from controller.domain.states import EndReason, IngestState
from controller.domain.streams import (
    CreatedStream,
    IdempotentCall,
    Stream,
    StreamChanges,
    StreamFilter,
    WentLive,
)


class Clock(Protocol):
    """Wall time."""

    def now(self) -> datetime:
        """The present, aware, in UTC."""
        ...


class StreamStore(Protocol):
    """Streams and their states; every change of status is a compare-and-set."""

    async def create(
        self,
        stream: Stream,
        product_ids: Sequence[UUID],
        key: StoredKey,
        idempotency: IdempotentCall | None = None,
    ) -> CreatedStream:
        """Write a new stream, its products and its key; ProductsNotAvailable, or
        IdempotencyKeyReused. A repeated idempotent call changes nothing and is answered alike.
        """
        ...

    async def get(self, stream_id: UUID) -> Stream:
        """The stream; StreamNotFound."""
        ...

    async def update(self, stream_id: UUID, changes: StreamChanges) -> Stream:
        """Change a scheduled stream; StreamNotEditable, StreamNotFound."""
        ...

    async def attach_products(
        self, stream_id: UUID, product_ids: Sequence[UUID]
    ) -> Sequence[Product]:
        """Attach to a scheduled stream what is not yet attached; answers the whole list.

        StreamNotAttachable, ProductsNotFound, StreamNotFound.
        """
        ...

    async def detach_product(self, stream_id: UUID, product_id: UUID) -> Sequence[Product]:
        """Detach from a scheduled stream; StreamNotAttachable, ProductNotInStream."""
        ...

    async def go_live(self, stream_id: UUID) -> WentLive:
        """scheduled → live, queueing notifications; StreamNotScheduled, StreamWithoutProducts."""
        ...

    async def end(self, stream_id: UUID, reason: EndReason) -> Stream:
        """live → ended, ingest finished; StreamNotLive. Exactly one of several callers wins."""
        ...

    async def cancel(self, stream_id: UUID) -> Stream:
        """scheduled → cancelled, ingest finished; StreamNotScheduled."""
        ...

    async def set_ingest_state(
        self, stream_id: UUID, from_state: IngestState, to_state: IngestState
    ) -> Stream:
        """Compare-and-set along `INGEST_TRANSITIONS`; IllegalIngestState, StreamNotFound."""
        ...

    async def set_vod(self, stream_id: UUID, url: str) -> Stream:
        """Remember where the recording plays; StreamNotFound."""
        ...

    async def forget_vod(self, stream_id: UUID) -> None:
        """The recording is gone, and with it what was made of it: MP4, pictures, clips."""
        ...

    async def live_streams(self) -> Sequence[Stream]:
        """All live streams, oldest first."""
        ...

    async def playback_facts(self, stream_id: UUID) -> PlaybackFacts | None:
        """What decides about the stream's media; None for an unknown stream."""
        ...


class StreamCatalogue(Protocol):
    """Streams as readers see them."""

    async def describe(self, stream_id: UUID) -> DescribedStream:
        """One stream with host and products; StreamNotFound."""
        ...

    async def find(
        self, which: StreamFilter, viewer: Identity | None, page: PageRequest
    ) -> Page[DescribedStream]:
        """The streams whose audience includes the viewer, newest first."""
        ...

    async def products_of(self, stream_id: UUID) -> Sequence[Product]:
        """The attached products, in the order in which they were attached."""
        ...


class KeyStore(Protocol):
    """Stream keys; at most one per stream is active."""

    async def find(self, lookup_hash: str) -> KeyMatch | None:
        """The key with this hash, active or revoked."""
        ...

    async def active(self, stream_ids: Sequence[UUID]) -> Mapping[UUID, StoredKey]:
        """The active keys of the given streams."""
        ...

    async def rotate(self, stream_id: UUID, new: StoredKey) -> None:
        """Revoke the active key and store `new` at once; KeyNotRotatable, StreamNotFound."""
        ...


class KeyLookup(Protocol):
    """How a hook turns what an encoder sent into a stream."""

    async def find_key(self, plaintext: str) -> KeyMatch | None:
        """What the key stands for, revoked keys included; None when it was never issued."""
        ...


class PublicationStore(Protocol):
    """Visits of encoders; at most one per stream is open."""

    async def open(
        self, stream_id: UUID, key_id: UUID, internal_name: str, publisher: Publisher
    ) -> Publication:
        """Begin a visit with a key that is still active, on a stream that is still live.

        AlreadyPublishing, KeyRevoked, StreamNotLive, StreamNotFound.
        """
        ...

    async def close(self, publication_id: UUID, reason: str) -> Publication | None:
        """End a visit; None when it was closed before or never opened."""
        ...

    async def find_open(self, stream_id: UUID) -> Publication | None:
        """The stream's open visit."""
        ...

    async def list_open(self) -> Sequence[Publication]:
        """All open visits, oldest first."""
        ...

    async def forget_addresses(self, keep_days: int, limit: int) -> int:
        """Forget where encoders came from that have been gone for so long; how many it were."""
        ...


class UserStore(Protocol):
    """People, who follows whom, and their devices."""

    async def ensure(self, identity: Identity) -> None:
        """Insert a user seen for the first time; keep what a known user changed, save the role."""
        ...

    async def get(self, user_id: UUID) -> User:
        """The user; UserNotFound."""
        ...

    async def with_username(self, username: str) -> Sequence[User]:
        """Everyone of that name, oldest first."""
        ...

    async def change(self, user_id: UUID, changes: UserChanges) -> User:
        """Apply the sent fields; UserNotFound."""
        ...

    async def follow(self, follower_id: UUID, host_id: UUID) -> None:
        """Follow, also when already following; UserNotFound, CannotFollowSelf."""
        ...

    async def unfollow(self, follower_id: UUID, host_id: UUID) -> None:
        """Stop following, also when not following; UserNotFound."""
        ...

    async def standing(self, viewer_id: UUID, host_id: UUID) -> Standing:
        """Whether the viewer follows the host and lives near them."""
        ...

    async def put_device(self, device: Device) -> None:
        """Add or replace a push target of its user."""
        ...

    async def delete_device(self, user_id: UUID, device_id: UUID) -> None:
        """Forget a push target, also when it is not known."""
        ...


class ProductStore(Protocol):
    """What sellers sell."""

    async def put(self, product: Product) -> tuple[Product, bool]:
        """Add or replace, True when new (`created_at` then counts); NotYourProduct."""
        ...

    async def get(self, product_id: UUID) -> Product:
        """The product; ProductNotFound."""
        ...

    async def of_seller(self, seller_id: UUID, page: PageRequest) -> Page[Product]:
        """The seller's products, newest first."""
        ...

    async def delete(self, product_id: UUID, seller_id: UUID) -> None:
        """Take out of the directory, history stays; ProductNotFound, NotYourProduct."""
        ...


class EngagementStore(Protocol):
    """What happens around a stream and what it adds up to."""

    async def tag(self, tag: ProductTag) -> None:
        """Keep a pin on a live stream; ProductNotInStream, StreamNotLive, StreamNotFound."""
        ...

    async def record_event(self, event: ProductEvent) -> bool:
        """Count once: False for a repetition; ProductNotInStream, IdempotencyKeyReused."""
        ...

    async def viewers(self, stream_id: UUID, page: PageRequest) -> tuple[Page[Viewer], int]:
        """Who is or was in the room, latest first, and how many in all."""
        ...

    async def figures(self, stream_id: UUID) -> StreamFigures:
        """Reactions, geography, the viewer timeline and the products' figures."""
        ...


@dataclass(frozen=True, slots=True)
class EndedMedia:
    """What is left of a stream's media: where its recording plays, None while it is not ready."""

    vod_url: str | None


class PublishingControl(Protocol):
    """The media side of a stream, as the API commands it; both calls bound their own time."""

    async def end_stream(self, stream_id: UUID) -> EndedMedia:
        """Drop the encoder, drain, publish the recording; called once the stream is ended."""
        ...

    async def disconnect_publisher(self, stream_id: UUID, reason: str) -> None:
        """Drop the encoder, if there is one: its key was replaced or its stream cancelled."""
        ...


class RehearsalControl(Protocol):
    """Who ends rehearsals."""

    async def end(self, stream_id: UUID, reason: str) -> None:
        """End the stream's rehearsal, if there is one: its encoder is dropped, its media go."""
        ...


class StreamAnnouncer(Protocol):
    """Who tells the room; called after the change is committed, must not raise."""

    async def started(self, stream: Stream) -> None:
        """The stream has gone live."""
        ...

    async def ended(self, stream: Stream) -> None:
        """The stream has ended."""
        ...

    async def product_tagged(self, tag: ProductTag) -> None:
        """A product was pinned."""
        ...


class PlaybackAuthorizer(Protocol):
    """Whether media may be given out; asked by delivery and by nginx's auth_request."""

    async def authorize(self, stream_id: UUID, token: str | None) -> PlaybackDecision:
        """The decision about a request for the stream's media under this token."""
        ...
