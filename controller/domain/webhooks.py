"""Webhooks: who is told about which events, and what has become of each delivery."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol
from uuid import UUID

from controller.domain.paging import Page, PageRequest
from controller.domain.products import Product, ProductEvent
from controller.domain.streams import Stream

MILESTONES = (10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000)
"""Concurrent viewers at which `viewer.milestone` is told, each once per stream."""

_STEPS = 50
"""Beyond so many a pause grows no more, whatever its factor."""


class WebhookEvent(StrEnum):
    """What receivers are told."""

    STREAM_LIVE = "stream.live"
    STREAM_INTERRUPTED = "stream.interrupted"
    STREAM_RESUMED = "stream.resumed"
    STREAM_ENDED = "stream.ended"
    RECORDING_READY = "recording.ready"
    PRODUCT_PURCHASED = "product.purchased"
    VIEWER_MILESTONE = "viewer.milestone"
    NOTIFICATION_QUEUED = "notification.queued"

    @property
    def is_global(self) -> bool:
        """True for what only an administrator's endpoints are told: it names followers."""
        return self is WebhookEvent.NOTIFICATION_QUEUED


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event as it is written into the outbox; `data` is what receivers get, JSON-ready."""

    type: WebhookEvent
    stream_id: UUID
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where events go; `owner_id` None: of every seller. Its secret is never shown again."""

    id: UUID
    owner_id: UUID | None
    url: str
    events: tuple[WebhookEvent, ...]
    description: str
    is_enabled: bool
    disabled_reason: str | None
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class EndpointChanges:
    """What is changed of an endpoint, by its field's name."""

    values: Mapping[str, object]


class DeliveryState(StrEnum):
    """What has become of one event for one endpoint."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"


@dataclass(frozen=True, slots=True)
class WebhookAttempt:
    """One try: the receiver's status, or why there was none."""

    at: datetime
    duration_ms: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """A line of an endpoint's log."""

    id: UUID
    event_id: UUID
    type: WebhookEvent
    stream_id: UUID
    state: DeliveryState
    attempts: int
    not_before: datetime
    created_at: datetime
    finished_at: datetime | None
    last: WebhookAttempt | None


@dataclass(frozen=True, slots=True)
class DueDelivery:
    """What a worker sends now: it holds the lease until it has said what became of it."""

    id: UUID
    endpoint_id: UUID
    event_id: UUID
    body: str
    url: str
    sealed_secrets: tuple[bytes, ...] = field(repr=False)
    attempts: int


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """What became of a try: `state` is pending when it is made again after `pause_s`."""

    attempt: WebhookAttempt
    state: DeliveryState
    pause_s: float = 0.0
    endpoint_gone: bool = False


class WebhookEndpointStore(Protocol):
    """Endpoints and their logs; every method is one transaction, or raises StoreUnavailable."""

    async def add(self, endpoint: WebhookEndpoint, sealed_secret: bytes) -> None:
        """Keep a new endpoint; TooManyWebhooks."""
        ...

    async def get(self, endpoint_id: UUID) -> WebhookEndpoint:
        """The endpoint; WebhookNotFound."""
        ...

    async def list(self, owner_id: UUID | None, page: PageRequest) -> Page[WebhookEndpoint]:
        """The owner's endpoints (None: the global ones), newest first."""
        ...

    async def change(self, endpoint_id: UUID, changes: EndpointChanges) -> WebhookEndpoint:
        """Change what is named; WebhookNotFound."""
        ...

    async def delete(self, endpoint_id: UUID) -> None:
        """Forget the endpoint, its log and what is pending; WebhookNotFound."""
        ...

    async def rotate(self, endpoint_id: UUID, sealed_secret: bytes, overlap_s: float) -> None:
        """A new secret; the one before signs, too, for `overlap_s`. WebhookNotFound."""
        ...

    async def deliveries(
        self, endpoint_id: UUID, state: DeliveryState | None, page: PageRequest
    ) -> Page[WebhookDelivery]:
        """The endpoint's log, newest first."""
        ...

    async def resend(self, endpoint_id: UUID, delivery_id: UUID) -> WebhookDelivery:
        """Send a finished delivery once more; DeliveryNotFound, DeliveryPending."""
        ...

    async def resend_dead(self, endpoint_id: UUID) -> int:
        """Send every dead letter of the endpoint once more; answers how many there are."""
        ...


class WebhookQueue(Protocol):
    """What is to be delivered, shared by all workers on one database."""

    async def claim(
        self, worker: str, lease_s: float, free: Mapping[UUID, int], otherwise: int, limit: int
    ) -> Sequence[DueDelivery]:
        """Take what is due: of each stream and endpoint only the oldest that is not finished.

        free: how many more of an endpoint this worker can take; `otherwise` of those not named.
        Nobody else is given a claimed delivery for `lease_s`.
        """
        ...

    async def settle(self, due: DueDelivery, worker: str, outcome: AttemptOutcome) -> bool:
        """Note what became of a claimed delivery; False when it is not this worker's any more."""
        ...

    async def give_back(self, due: Sequence[DueDelivery], worker: str) -> None:
        """Let others have what was claimed and not tried."""
        ...

    async def prune(self, keep_days: int, limit: int) -> int:
        """Forget events older than `keep_days`, unless an enabled endpoint is still to get them;
        answers how many.
        """
        ...


def stream_data(stream: Stream) -> dict[str, Any]:
    """What receivers are told of a stream; never its key."""
    return {
        "streamId": str(stream.id),
        "userId": str(stream.owner_id),
        "title": stream.title,
        "category": stream.category,
        "audience": stream.options.audience.value,
        "status": stream.status.value,
        "startedAt": _iso(stream.started_at),
        "endedAt": _iso(stream.ended_at),
    }


def stream_event(kind: WebhookEvent, stream: Stream, **more: Any) -> NewEvent:
    """An event about a stream, with `more` beside what is always told."""
    return NewEvent(kind, stream.id, {**stream_data(stream), **more})


def purchase_event(event: ProductEvent, product: Product, bought_at: datetime) -> NewEvent:
    """A viewer has bought something; an anonymous one is nobody's user."""
    data = {
        "streamId": str(event.stream_id),
        "productId": str(event.product_id),
        "userId": None if event.is_guest else str(event.viewer_id),
        "title": product.title,
        "quantity": event.quantity,
        "unitPrice": f"{product.price.normalize():f}",
        "total": f"{(product.price * event.quantity).normalize():f}",
        "currency": product.currency,
        "purchasedAt": bought_at.isoformat(),
    }
    return NewEvent(WebhookEvent.PRODUCT_PURCHASED, event.stream_id, data)


def milestones_passed(peak_before: int, peak_now: int) -> Sequence[int]:
    """The milestones that a new peak has reached."""
    return [number for number in MILESTONES if peak_before < number <= peak_now]


def _iso(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


@dataclass(frozen=True, slots=True)
class BackOff:
    """The pause after the n-th failure: from `first_s`, each `factor` times the one before."""

    first_s: float = 2.0
    factor: float = 3.0
    longest_s: float = 6 * 3600.0
    attempts: int = 14

    def pause_s(self, failures: int, chance: float, asked_s: float = 0.0) -> float:
        """chance: 0 to 1, spreads the pause over the half above it, so that what failed together
        does not come back together. asked_s: what the other side asked for, the least.
        """
        pause_s = min(self.longest_s, self.first_s * self.factor ** min(failures - 1, _STEPS))
        return max(pause_s, min(asked_s, self.longest_s)) * (1 + 0.5 * chance)

    def is_last(self, failures: int) -> bool:
        """Whether there is no further try."""
        return failures >= self.attempts
