"""The calls of the Go Live flow."""

from controller.api.presentation import (
    show_attached,
    show_created,
    show_ended,
    show_live,
    show_stream,
    show_updated,
)
from controller.api.public_urls import PublicUrls
from controller.api.registry import Answer, Call
from controller.api.requests import (
    GoLive,
    Nothing,
    ProductSelection,
    StreamCreate,
    StreamListQuery,
    StreamUpdate,
)
from controller.api.stream_answers import KeyRotated, StreamCancelled, StreamPage
from controller.domain.paging import PageRequest
from controller.domain.stream_service import NewStream, StreamService
from controller.domain.streams import StreamChanges, StreamFilter, StreamOptions

REPLAYED = {"Idempotency-Replayed": "true"}


class StreamHandlers:
    """From validated calls to the stream service and back."""

    def __init__(self, service: StreamService, urls: PublicUrls) -> None:
        self._service = service
        self._urls = urls

    async def create(self, call: Call[StreamCreate, Nothing]) -> Answer:
        """POST /streams."""
        body = call.body
        new = NewStream(
            title=body.title,
            category=body.category,
            description=body.description,
            options=StreamOptions(
                audience=body.audience,
                estimated_duration_min=body.estimated_duration,
                notify_followers=body.notify_followers,
                notify_neighborhood=body.notify_neighborhood,
                enable_chat=body.enable_chat,
                enable_comments=body.enable_comments,
                record_stream=body.record_stream,
            ),
            product_ids=tuple(body.product_ids),
            scheduled_at=body.scheduled_at,
        )
        created = await self._service.create(call.caller, new, call.idempotency_key)
        headers = REPLAYED if created.replayed else {}
        return Answer(show_created(created), 201, "Stream created", headers)

    async def list(self, call: Call[Nothing, StreamListQuery]) -> Answer:
        """GET /streams."""
        query = call.query
        which = StreamFilter(query.status, query.category, query.user_id)
        page = await self._service.list(
            call.identity, which, PageRequest(query.limit, query.cursor)
        )
        items = [show_stream(shown, self._urls) for shown in page.items]
        return Answer(StreamPage(items=items, next_cursor=page.next and page.next.encode()))

    async def get(self, call: Call[Nothing, Nothing]) -> Answer:
        """GET /streams/{stream_id}."""
        shown = await self._service.show(call.identity, call.path["stream_id"])
        return Answer(show_stream(shown, self._urls))

    async def attach(self, call: Call[ProductSelection, Nothing]) -> Answer:
        """POST /streams/{stream_id}/products."""
        stream_id = call.path["stream_id"]
        products = await self._service.attach(call.caller, stream_id, call.body.ids)
        return Answer(show_attached(stream_id, products), message="Products attached")

    async def detach(self, call: Call[Nothing, Nothing]) -> Answer:
        """DELETE /streams/{stream_id}/products/{product_id}."""
        stream_id = call.path["stream_id"]
        products = await self._service.detach(call.caller, stream_id, call.path["product_id"])
        return Answer(show_attached(stream_id, products), message="Product detached")

    async def update(self, call: Call[StreamUpdate, Nothing]) -> Answer:
        """PATCH /streams/{stream_id}/settings."""
        sent = call.body.model_fields_set
        values = {name: value for name, value in call.body if name in sent}
        if "estimated_duration" in values:
            values["estimated_duration_min"] = values.pop("estimated_duration")
        stream = await self._service.update(
            call.caller, call.path["stream_id"], StreamChanges(values)
        )
        return Answer(show_updated(stream), message="Settings updated")

    async def go_live(self, call: Call[GoLive, Nothing]) -> Answer:
        """POST /streams/{stream_id}/go-live."""
        is_ready = call.body.camera_ready and call.body.checklist_complete
        on_air = await self._service.go_live(call.caller, call.path["stream_id"], is_ready=is_ready)
        return Answer(show_live(on_air, self._urls), message="Stream is live")

    async def end(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/end."""
        stream = await self._service.end(call.caller, call.path["stream_id"])
        return Answer(show_ended(stream), message="Stream ended")

    async def cancel(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/cancel."""
        stream = await self._service.cancel(call.caller, call.path["stream_id"])
        cancelled = StreamCancelled(
            stream_id=stream.id, status=stream.status, updated_at=stream.updated_at
        )
        return Answer(cancelled, message="Stream cancelled")

    async def rotate_key(self, call: Call[Nothing, Nothing]) -> Answer:
        """POST /streams/{stream_id}/rotate-key."""
        stream_id = call.path["stream_id"]
        key = await self._service.rotate_key(call.caller, stream_id)
        rotated = KeyRotated(stream_id=stream_id, stream_key=key, rtmp_url=self._urls.rtmp_url)
        return Answer(rotated, message="Stream key rotated")
