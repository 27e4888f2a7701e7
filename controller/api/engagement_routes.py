"""What happens around a stream, on one screen."""

from controller.api.engagement import EngagementHandlers
from controller.api.engagement_answers import (
    ProductEventCounted,
    ProductTagged,
    StreamAnalytics,
    ViewerPage,
)
from controller.api.registry import Access, AnyOperation, Operation
from controller.api.requests import (
    PageQuery,
    ProductEventQuery,
    ProductEventRequest,
    ProductTagRequest,
)
from controller.api.stream_answers import PlaybackGranted
from controller.errors import (
    IdempotencyKeyReused,
    NotInAudience,
    NotYourStream,
    ProductMismatch,
    ProductNotInStream,
    StreamNotFound,
    StreamNotLive,
)

_OWN = (StreamNotFound, NotYourStream)


def engagement_operations(handlers: EngagementHandlers) -> list[AnyOperation]:
    """Every call around a stream."""
    return [
        Operation(
            method="POST",
            path="/streams/{stream_id}/products/{product_id}/tag",
            id="tagProduct",
            tag="Engagement",
            summary="Pin a product in the picture",
            who="The owner, while live",
            handler=handlers.tag,
            body=ProductTagRequest,
            answers={200: ProductTagged},
            refusals=(*_OWN, ProductMismatch, ProductNotInStream, StreamNotLive),
        ),
        Operation(
            method="POST",
            path="/streams/{stream_id}/products/{product_id}/events",
            id="recordProductEvent",
            tag="Engagement",
            summary="Report a click, view, inquiry or purchase; with an Idempotency-Key, once",
            who="Any viewer, within the audience; an anonymous one by its session",
            handler=handlers.record_event,
            access=Access.ANYONE,
            body=ProductEventRequest,
            query=ProductEventQuery,
            answers={202: ProductEventCounted},
            refusals=(StreamNotFound, NotInAudience, ProductNotInStream, IdempotencyKeyReused),
            takes_idempotency_key=True,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/viewers",
            id="listViewers",
            tag="Engagement",
            summary="List who is or was watching, latest first",
            who="The owner",
            handler=handlers.viewers,
            query=PageQuery,
            answers={200: ViewerPage},
            refusals=_OWN,
        ),
        Operation(
            method="GET",
            path="/streams/{stream_id}/analytics",
            id="getAnalytics",
            tag="Engagement",
            summary="Read a stream's figures",
            who="The owner",
            handler=handlers.analytics,
            answers={200: StreamAnalytics},
            refusals=_OWN,
        ),
        Operation(
            method="POST",
            path="/streams/{stream_id}/playback-token",
            id="issuePlaybackToken",
            tag="Access",
            summary="Get addresses that play; for a limited audience, signed and short-lived",
            who="Any user, within the audience",
            handler=handlers.playback_token,
            answers={200: PlaybackGranted},
            refusals=(StreamNotFound, NotInAudience),
        ),
    ]
