"""Webhooks: who may set them up, and look at what was sent."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import Protocol
from urllib.parse import urlsplit
from uuid import UUID

from controller.domain.paging import Page, PageRequest
from controller.domain.people import Identity
from controller.domain.ports import Clock
from controller.domain.webhooks import (
    DeliveryState,
    EndpointChanges,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEndpointStore,
    WebhookEvent,
)
from controller.errors import (
    FieldError,
    InvalidRequest,
    NotYourWebhook,
    OnlyAdministrators,
    OnlySellersSell,
)

OVERLAP = timedelta(days=1)
"""For how long the secret before signs, too."""


class SecretIssuer(Protocol):
    """Makes signing secrets."""

    def issue(self, endpoint_id: UUID) -> tuple[str, bytes]:
        """A new one: as its receiver gets it, and what is stored of it."""
        ...


@dataclass(frozen=True, slots=True)
class NewWebhook:
    """What somebody asks for; for_all: of every seller, not only of the caller's streams."""

    url: str
    events: tuple[WebhookEvent, ...]
    description: str = ""
    for_all: bool = False


@dataclass(frozen=True, slots=True)
class IssuedSecret:
    """A secret that is shown this once; the one before it signs, too, until then."""

    endpoint: WebhookEndpoint
    secret: str = field(repr=False)
    previous_until: datetime | None = None


class WebhookService:
    """Every command on webhooks: checks the caller and the input, then the store."""

    def __init__(
        self,
        store: WebhookEndpointStore,
        secrets: SecretIssuer,
        allows_address: Callable[[str], bool],
        clock: Clock,
        new_id: Callable[[], UUID],
    ) -> None:
        self._store = store
        self._secrets = secrets
        self._allows_address = allows_address
        self._clock = clock
        self._new_id = new_id

    async def create(self, caller: Identity, new: NewWebhook) -> IssuedSecret:
        """Set one up; OnlySellersSell, OnlyAdministrators, TooManyWebhooks, InvalidRequest."""
        if new.for_all:
            _require_admin(caller)
        elif not caller.role.sells:
            raise OnlySellersSell("Only sellers can set up webhooks")
        return await self.add(None if new.for_all else caller.user_id, new)

    async def add(self, owner_id: UUID | None, new: NewWebhook) -> IssuedSecret:
        """The same for a caller that needs no permission."""
        self._require_url(new.url)
        _require_events(owner_id, new.events)
        now, endpoint_id = self._clock.now(), self._new_id()
        endpoint = WebhookEndpoint(
            id=endpoint_id,
            owner_id=owner_id,
            url=new.url,
            events=new.events,
            description=new.description,
            is_enabled=True,
            disabled_reason=None,
            created_at=now,
            updated_at=now,
        )
        secret, sealed = self._secrets.issue(endpoint_id)
        await self._store.add(endpoint, sealed)
        return IssuedSecret(endpoint, secret)

    async def list(
        self, caller: Identity, page: PageRequest, *, for_all: bool
    ) -> Page[WebhookEndpoint]:
        """The caller's endpoints, or those of every seller; OnlyAdministrators."""
        if for_all:
            _require_admin(caller)
        return await self._store.list(None if for_all else caller.user_id, page)

    async def show(self, caller: Identity, endpoint_id: UUID) -> WebhookEndpoint:
        """One endpoint; WebhookNotFound, NotYourWebhook."""
        endpoint = await self._store.get(endpoint_id)
        if endpoint.owner_id != caller.user_id and not caller.is_admin:
            raise NotYourWebhook
        return endpoint

    async def change(
        self, caller: Identity, endpoint_id: UUID, changes: EndpointChanges
    ) -> WebhookEndpoint:
        """Change it; WebhookNotFound, NotYourWebhook, OnlyAdministrators, InvalidRequest."""
        endpoint = await self.show(caller, endpoint_id)
        values = changes.values
        if "url" in values:
            self._require_url(str(values["url"]))
        if isinstance(events := values.get("events"), tuple):
            _require_events(endpoint.owner_id, events)
        return await self._store.change(endpoint_id, changes)

    async def delete(self, caller: Identity, endpoint_id: UUID) -> None:
        """Forget it and all that is pending; WebhookNotFound, NotYourWebhook."""
        await self.show(caller, endpoint_id)
        await self._store.delete(endpoint_id)

    async def rotate(self, caller: Identity, endpoint_id: UUID) -> IssuedSecret:
        """A new secret; the old one signs, too, for a day. WebhookNotFound, NotYourWebhook."""
        endpoint = await self.show(caller, endpoint_id)
        secret, sealed = self._secrets.issue(endpoint_id)
        await self._store.rotate(endpoint_id, sealed, OVERLAP.total_seconds())
        return IssuedSecret(endpoint, secret, self._clock.now() + OVERLAP)

    async def log(
        self, caller: Identity, endpoint_id: UUID, state: DeliveryState | None, page: PageRequest
    ) -> Page[WebhookDelivery]:
        """What was sent to it, newest first; WebhookNotFound, NotYourWebhook."""
        await self.show(caller, endpoint_id)
        return await self._store.deliveries(endpoint_id, state, page)

    async def resend(
        self, caller: Identity, endpoint_id: UUID, delivery_id: UUID
    ) -> WebhookDelivery:
        """Send one again; WebhookNotFound, NotYourWebhook, DeliveryNotFound, DeliveryPending."""
        await self.show(caller, endpoint_id)
        return await self._store.resend(endpoint_id, delivery_id)

    async def resend_dead(self, caller: Identity, endpoint_id: UUID) -> int:
        """Send all dead letters again; WebhookNotFound, NotYourWebhook."""
        await self.show(caller, endpoint_id)
        return await self._store.resend_dead(endpoint_id)

    def _require_url(self, url: str) -> None:
        """A literal address is refused at once; what a name stands for is looked at each time."""
        host = urlsplit(url).hostname or ""
        try:
            literal = str(ip_address(host))
        except ValueError:
            return
        if not self._allows_address(literal):
            message = "must not be an address of a private network"
            raise InvalidRequest([FieldError("body", "url", message, "private_address")])


def _require_admin(caller: Identity) -> None:
    if not caller.is_admin:
        raise OnlyAdministrators


def _require_events(owner_id: UUID | None, events: Sequence[WebhookEvent]) -> None:
    """Who follows a host is not told to sellers."""
    if owner_id is not None and any(event.is_global for event in events):
        raise OnlyAdministrators
