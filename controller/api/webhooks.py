"""Webhooks: what clients send, what they are answered, and the calls between."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from controller.api.answers import CamelAnswer
from controller.api.fields import WebAddress
from controller.api.registry import Answer, Call
from controller.api.requests import JsonBody, Nothing, PageQuery
from controller.domain.paging import PageRequest
from controller.domain.webhook_service import IssuedSecret, NewWebhook, WebhookService
from controller.domain.webhooks import (
    DeliveryState,
    EndpointChanges,
    WebhookDelivery,
    WebhookEndpoint,
    WebhookEvent,
)

Scope = Literal["own", "all"]
Events = Annotated[
    list[WebhookEvent],
    Field(
        min_length=1,
        max_length=20,
        description="What to tell. `notification.queued` is for administrators' webhooks only.",
    ),
]
Note = Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
_SCOPE = "`own`: of the caller's streams. `all`: of every seller's, for administrators."


class WebhookCreate(JsonBody):
    """Where to send what."""

    url: WebAddress
    events: Events
    description: Note = ""
    scope: Scope = Field(default="own", description=_SCOPE)


class WebhookUpdate(JsonBody):
    """Changes to a webhook: only fields that are sent change."""

    url: WebAddress = Field(default_factory=str)
    events: Events = Field(default_factory=list)
    description: Note = Field(default_factory=str)
    enabled: bool = Field(default_factory=bool)


class WebhookListQuery(PageQuery):
    """A page of webhooks."""

    scope: Scope = Field(default="own", description=_SCOPE)


class DeliveryListQuery(PageQuery):
    """A page of a webhook's log."""

    state: DeliveryState | None = None


class WebhookAnswer(CamelAnswer):
    """A webhook; its secret is not shown again."""

    id: UUID
    scope: Scope
    url: str
    events: list[WebhookEvent]
    description: str
    enabled: bool
    disabled_reason: str | None = Field(
        description="`gone`: the receiver has answered 410, which means never again."
    )
    created_at: datetime
    updated_at: datetime


class WebhookCreated(WebhookAnswer):
    """A new webhook, and the one time that its secret is shown."""

    secret: str = Field(description="`whsec_…`, for a Standard Webhooks library.")


class WebhookPage(CamelAnswer):
    """A page of webhooks."""

    items: list[WebhookAnswer]
    next_cursor: str | None


class WebhookSecretAnswer(CamelAnswer):
    """A webhook's new secret, shown this once."""

    id: UUID
    secret: str
    previous_until: datetime | None = Field(
        description="Until then every request is signed with the secret before, too."
    )


class WebhookDeleted(CamelAnswer):
    """A webhook that is not told anything any more."""

    id: UUID
    deleted: Literal[True]


class AttemptAnswer(CamelAnswer):
    """One try."""

    at: datetime
    duration_ms: int
    status: int | None = Field(description="What the receiver answered; null: nothing.")
    error: str | None = Field(
        description="`refused`, `redirected`, `timeout`, `connection_failed`, `tls_failed`, "
        "`address_refused`, `secret_unreadable`, `internal_error`; null: it was delivered."
    )


class DeliveryAnswer(CamelAnswer):
    """One event for one webhook."""

    id: UUID
    message_id: str = Field(description="The `webhook-id` header, the same at every try.")
    type: WebhookEvent
    stream_id: UUID
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    last_attempt: AttemptAnswer | None


class DeliveryPage(CamelAnswer):
    """A page of a webhook's log."""

    items: list[DeliveryAnswer]
    next_cursor: str | None


class Resent(CamelAnswer):
    """How many deliveries are sent again."""

    id: UUID
    count: int


class WebhookHandlers:
    """From validated calls to the webhooks and back."""

    def __init__(self, service: WebhookService) -> None:
        self._service = service

    async def create(self, call: Call[WebhookCreate, Nothing]) -> Answer:
        """POST /webhooks."""
        body = call.body
        new = NewWebhook(
            body.url, tuple(dict.fromkeys(body.events)), body.description, body.scope == "all"
        )
        issued = await self._service.create(call.caller, new)
        shown = _show(issued.endpoint).model_dump()
        return Answer(WebhookCreated(**shown, secret=issued.secret), 201)

    async def list(self, call: Call[Nothing, WebhookListQuery]) -> Answer:
        """GET /webhooks."""
        query = call.query
        request = PageRequest(query.limit, query.cursor)
        page = await self._service.list(call.caller, request, for_all=query.scope == "all")
        items = [_show(endpoint) for endpoint in page.items]
        return Answer(WebhookPage(items=items, next_cursor=page.next and page.next.encode()))

    async def read(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /webhooks/{webhook_id}."""
        return Answer(_show(await self._service.show(call.caller, call.path["webhook_id"])))

    async def change(self, call: Call[WebhookUpdate, Nothing]) -> Answer:
        """PATCH /webhooks/{webhook_id}."""
        body, sent = call.body, call.body.model_fields_set
        values: dict[str, object] = {
            "url": body.url,
            "events": tuple(dict.fromkeys(body.events)),
            "description": body.description,
            "is_enabled": body.enabled,
        }
        names = {"is_enabled": "enabled"}
        changes = {name: value for name, value in values.items() if names.get(name, name) in sent}
        webhook_id = call.path["webhook_id"]
        changed = await self._service.change(call.caller, webhook_id, EndpointChanges(changes))
        return Answer(_show(changed))

    async def delete(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /webhooks/{webhook_id}."""
        webhook_id = call.path["webhook_id"]
        await self._service.delete(call.caller, webhook_id)
        return Answer(WebhookDeleted(id=webhook_id, deleted=True), message="Webhook deleted")

    async def rotate(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /webhooks/{webhook_id}/rotate-secret."""
        return Answer(_secret(await self._service.rotate(call.caller, call.path["webhook_id"])))

    async def log(self, call: Call[Nothing, DeliveryListQuery]) -> Answer:
        """GET /webhooks/{webhook_id}/deliveries."""
        query = call.query
        page = await self._service.log(
            call.caller,
            call.path["webhook_id"],
            query.state,
            PageRequest(query.limit, query.cursor),
        )
        items = [_delivery(one) for one in page.items]
        return Answer(DeliveryPage(items=items, next_cursor=page.next and page.next.encode()))

    async def resend(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /webhooks/{webhook_id}/deliveries/{delivery_id}/resend."""
        path = call.path
        again = await self._service.resend(call.caller, path["webhook_id"], path["delivery_id"])
        return Answer(_delivery(again), 202)

    async def resend_dead(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /webhooks/{webhook_id}/resend-dead."""
        webhook_id = call.path["webhook_id"]
        count = await self._service.resend_dead(call.caller, webhook_id)
        return Answer(Resent(id=webhook_id, count=count), 202)


def _show(endpoint: WebhookEndpoint) -> WebhookAnswer:
    return WebhookAnswer(
        id=endpoint.id,
        scope="all" if endpoint.owner_id is None else "own",
        url=endpoint.url,
        events=[*endpoint.events],
        description=endpoint.description,
        enabled=endpoint.is_enabled,
        disabled_reason=endpoint.disabled_reason,
        created_at=endpoint.created_at,
        updated_at=endpoint.updated_at,
    )


def _secret(issued: IssuedSecret) -> WebhookSecretAnswer:
    return WebhookSecretAnswer(
        id=issued.endpoint.id, secret=issued.secret, previous_until=issued.previous_until
    )


def _delivery(one: WebhookDelivery) -> DeliveryAnswer:
    last = None
    if one.last is not None:
        last = AttemptAnswer(
            at=one.last.at,
            duration_ms=one.last.duration_ms,
            status=one.last.status,
            error=one.last.error,
        )
    return DeliveryAnswer(
        id=one.id,
        message_id=f"msg_{one.event_id.hex}",
        type=one.type,
        stream_id=one.stream_id,
        state=one.state,
        attempts=one.attempts,
        next_attempt_at=one.not_before if one.state is DeliveryState.PENDING else None,
        created_at=one.created_at,
        finished_at=one.finished_at,
        last_attempt=last,
    )
