"""The Go Live flow on one screen."""

from typing import Any

from controller.api.registry import Access, AnyOperation, Operation
from controller.api.requests import (
    GoLive,
    ProductSelection,
    StreamCreate,
    StreamListQuery,
    StreamUpdate,
)
from controller.api.stream_answers import (
    AttachedProducts,
    KeyRotated,
    StreamCancelled,
    StreamCreated,
    StreamEnded,
    StreamLive,
    StreamPage,
    StreamResponse,
    StreamUpdated,
)
from controller.api.streams import StreamHandlers
from controller.errors import (
    HostNotReady,
    IdempotencyKeyReused,
    KeyNotRotatable,
    NotInAudience,
    NotYourStream,
    OnlySellersCreate,
    ProductNotInStream,
    ProductsNotAvailable,
    ProductsNotFound,
    StreamNotAttachable,
    StreamNotEditable,
    StreamNotFound,
    StreamNotLive,
    StreamNotScheduled,
    StreamWithoutProducts,
)

_OWN = (StreamNotFound, NotYourStream)
_TAG = "Streams"


def stream_operations(handlers: StreamHandlers) -> list[AnyOperation]:
    """Every call of the flow, in its order."""
    return [*_reading(handlers), *_preparing(handlers), *_on_air(handlers)]


def _reading(handlers: StreamHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="GET",
            path="/streams",
            id="listStreams",
            tag=_TAG,
            summary="List streams, newest first",
            who="Anyone, within the audience",
            handler=handlers.list,
            query=StreamListQuery,
            answers={200: StreamPage},
            access=Access.ANYONE,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}",
            id="getStream",
            tag=_TAG,
            summary="Read a stream",
            who="Anyone, within the audience",
            handler=handlers.get,
            answers={200: StreamResponse},
            refusals=(StreamNotFound, NotInAudience),
            access=Access.ANYONE,
            has_etag=True,
        ),
    ]


def _preparing(handlers: StreamHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="POST",
            path="/streams",
            id="createStream",
            tag=_TAG,
            summary="Schedule a stream",
            who="Roles seller and both",
            handler=handlers.create,
            body=StreamCreate,
            answers={201: StreamCreated},
            refusals=(OnlySellersCreate, ProductsNotAvailable, IdempotencyKeyReused),
            takes_idempotency_key=True,
            gives={"stream_id": "$response.body#/data/streamId"},
        ),
        Operation(
            method="POST",
            path="/streams/{stream_id}/products",
            id="attachProducts",
            tag=_TAG,
            summary="Attach products; attaching twice changes nothing",
            who="The owner, while scheduled",
            handler=handlers.attach,
            body=ProductSelection,
            answers={200: AttachedProducts},
            refusals=(*_OWN, StreamNotAttachable, ProductsNotFound),
            gives={
                "stream_id": "$request.path.stream_id",
                "product_id": "$response.body#/data/products/0/id",
            },
        ),
        Operation(
            method="DELETE",
            path="/streams/{stream_id}/products/{product_id}",
            id="detachProduct",
            tag=_TAG,
            summary="Detach a product",
            who="The owner, while scheduled",
            handler=handlers.detach,
            answers={200: AttachedProducts},
            refusals=(*_OWN, StreamNotAttachable, ProductNotInStream),
        ),
        Operation(
            method="PATCH",
            path="/streams/{stream_id}/settings",
            id="updateStream",
            tag=_TAG,
            summary="Change settings; only fields that are sent change",
            who="The owner, while scheduled",
            handler=handlers.update,
            body=StreamUpdate,
            answers={200: StreamUpdated},
            refusals=(*_OWN, StreamNotEditable),
        ),
    ]


def _on_air(handlers: StreamHandlers) -> list[AnyOperation]:
    return [
        Operation(
            method="POST",
            path="/streams/{stream_id}/go-live",
            id="goLive",
            tag=_TAG,
            summary="Go live: from here on the key lets an encoder in",
            who="The owner, while scheduled, with at least one product",
            handler=handlers.go_live,
            body=GoLive,
            answers={200: StreamLive},
            refusals=(*_OWN, HostNotReady, StreamNotScheduled, StreamWithoutProducts),
        ),
        _command(
            handlers.end,
            path="/streams/{stream_id}/end",
            id="endStream",
            summary="End the stream for good; disconnects the encoder",
            who="The owner, while live",
            answers={200: StreamEnded},
            refusals=(*_OWN, StreamNotLive),
        ),
        _command(
            handlers.cancel,
            path="/streams/{stream_id}/cancel",
            id="cancelStream",
            summary="Call a scheduled stream off",
            who="The owner, while scheduled",
            answers={200: StreamCancelled},
            refusals=(*_OWN, StreamNotScheduled),
        ),
        _command(
            handlers.rotate_key,
            path="/streams/{stream_id}/rotate-key",
            id="rotateKey",
            summary="Replace the stream key; the old one stops working at once",
            who="The owner, until the stream has ended",
            answers={200: KeyRotated},
            refusals=(*_OWN, KeyNotRotatable),
        ),
    ]


def _command(handler: Any, **described: Any) -> AnyOperation:
    """A POST that takes nothing but the stream's id."""
    return Operation(method="POST", tag=_TAG, handler=handler, **described)
